package exchange

import (
	"bytes"
	"context"
	"crypto/aes"
	"errors"
	"fmt"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// Before the first factor nobody is told an authenticator's ID, but a pseudonym of it:
// the ID, or for a name nobody has a mark of the method, encrypted under a key of this
// login and this name. Two logins, and two names of one user, show nothing in common,
// and only the server can tell a real one from an invented one. The login remembers a
// keyed hash of each name it was asked about, so that a pseudonym can be read again by
// those who send back nothing else.

func (v *Verifier) digest(identifier string) []byte {
	return throttle.NameDigest(v.keyring, identifier)
}

// nameKeys are the keys that pseudonyms of a name are made with in a login, one for each
// living key of the server, the newest first. A login of its own has those of its request.
func (v *Verifier) nameKeys(r storage.AuthRequest, face []byte) [][]byte {
	of := r.Hash
	if r.Parent != nil {
		of = r.Parent
	}
	return v.keyring.MACs("subject", "pseudonym", string(of)+"|"+string(face))
}

// pseudonyms are what an authenticator is called before the first factor, the one that is
// told first.
func (v *Verifier) pseudonyms(r storage.AuthRequest, face []byte, id [aes.BlockSize]byte) []storage.AuthenticatorID {
	var out []storage.AuthenticatorID
	for _, key := range v.nameKeys(r, face) {
		out = append(out, storage.FromBytes[storage.AuthenticatorID](permute(key, id, false)))
	}
	return out
}

// permute is a permutation of 16 bytes, or its inverse.
func permute(key []byte, b [aes.BlockSize]byte, back bool) [aes.BlockSize]byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("mfa: " + err.Error()) // of another length than 16, 24 or 32
	}
	if back {
		block.Decrypt(b[:], b[:])
	} else {
		block.Encrypt(b[:], b[:])
	}
	return b
}

// invented is the authenticator of a method for a name nobody has.
func (v *Verifier) invented(method string) [aes.BlockSize]byte {
	return v.hash128("decoy method", method)
}

// reading is what a pseudonym may stand for: an authenticator, if it was made for this name.
type reading struct {
	face []byte
	id   [aes.BlockSize]byte
}

// readings are what a pseudonym may stand for by the names a login was asked about.
func (v *Verifier) readings(r storage.AuthRequest, id storage.AuthenticatorID) []reading {
	b, ok := storage.Bytes(id)
	if !ok {
		return nil
	}
	var out []reading
	for _, name := range r.Names {
		for _, key := range v.nameKeys(r, name) {
			out = append(out, reading{name, permute(key, b, true)})
		}
	}
	return out
}

// OwnerOf returns whose authenticator a choice is about that was told before the first
// factor, for callers that name nobody else: login pages send back only what a list gave
// them. The identifier stands for the name it was told of; without an account nobody has
// that name. What was not told in this login, or is of another method, is refused.
func (v *Verifier) OwnerOf(ctx context.Context, r storage.AuthRequest, c Choice) (*storage.Account, string, error) {
	all := v.readings(r, c.Authenticator)
	var ids []storage.AuthenticatorID
	for _, x := range all {
		ids = append(ids, storage.FromBytes[storage.AuthenticatorID](x.id))
	}
	account, err := v.store.AccountByAuthenticator(ctx, ids...)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, "", fmt.Errorf("read account: %w", err)
	}
	for i, x := range all {
		if err != nil && x.id == v.invented(c.Method) {
			return nil, throttle.DigestIdentifier(x.face), nil
		}
		if a := account.Authenticator(ids[i]); a != nil && a.Method == c.Method && mfa.Enrolled(*a) {
			return &account, throttle.DigestIdentifier(x.face), nil
		}
	}
	return nil, "", &mfa.Error{Code: mfa.NotConfigured}
}

// real turns a pseudonym that was told in a login into the ID it stands for: who lists
// what a name has, and then proves the first factor, goes on with what was listed.
func (v *Verifier) real(p Login, id storage.AuthenticatorID) storage.AuthenticatorID {
	if p.Account == nil || id == "" || p.Account.Authenticator(id) != nil {
		return id
	}
	for _, x := range v.readings(p.Request, id) {
		if a := p.Account.Authenticator(storage.FromBytes[storage.AuthenticatorID](x.id)); a != nil {
			return a.ID
		}
	}
	return id
}

// means reports whether a choice is an option: of its method, and the authenticator, if
// one is named, as the caller was told it.
func (v *Verifier) means(p Login, c Choice, o Option) bool {
	switch {
	case c.Method != o.Method:
		return false
	case c.Authenticator == "":
		return true
	case p.anonymous():
		return slices.Contains(o.aliases, c.Authenticator)
	}
	return v.real(p, c.Authenticator) == o.Authenticator
}

// maxNames are the names a login may be asked about before anybody is identified.
// Strangers leave half of them to the browser it was opened in.
const maxNames = 10

func (p Login) names() int {
	if p.Detached != nil {
		return maxNames / 2
	}
	return maxNames
}

// anonymous reports whether a call is about a name that nobody has proven to have.
func (p Login) anonymous() bool { return p.Request.Subject == "" && p.Identifier != "" }

// newName is the face of a name the login was not asked about before; nil: it was, or
// there is none. A new one takes from the caller's budget.
func (v *Verifier) newName(caller mfa.Caller, p Login) ([]byte, error) {
	if !p.anonymous() {
		return nil, nil
	}
	name := v.digest(p.Identifier)
	if slices.ContainsFunc(p.Request.Names, func(n []byte) bool { return bytes.Equal(n, name) }) {
		return nil, nil
	}
	return name, v.o.Admit.Spend(caller, budget.Names, 1)
}

// Ask remembers the name a login is asked about, so that what is told of it can be read
// again. It is called before anything is told. One statement, for a new name.
func (v *Verifier) Ask(ctx context.Context, caller mfa.Caller, p Login) error {
	name, err := v.newName(caller, p)
	if err != nil || name == nil {
		return err
	}
	err = v.store.RememberName(ctx, p.Request.ID, name, p.names(), v.now())
	if errors.Is(err, storage.ErrConflict) {
		return v.notOpened(p, name)
	}
	if err != nil {
		return fmt.Errorf("remember name: %w", err)
	}
	return nil
}
