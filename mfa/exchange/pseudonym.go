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

// Before the first factor callers see pseudonyms of authenticator IDs: the ID, or for an
// unknown name a decoy ID of the method, encrypted under a key of the login and the name. So
// pseudonyms of two logins, or of two names of one user, are unrelated, and only the server
// can tell real ones from decoys. The login stores a keyed hash of each name it was listed
// for, so that a pseudonym can be decrypted without the name.

func (v *Verifier) digest(identifier string) []byte {
	return throttle.NameDigest(v.keyring, identifier)
}

// nameKeys returns the keys of a name's pseudonyms in a login, one for each active key of the
// server, the newest first. A detached login has those of its request.
func (v *Verifier) nameKeys(r storage.AuthRequest, name []byte) [][]byte {
	of := r.Hash
	if r.Parent != nil {
		of = r.Parent
	}
	return v.keyring.MACs("subject", "pseudonym", string(of)+"|"+string(name))
}

// pseudonyms returns the pseudonyms of an authenticator, first the one to show.
func (v *Verifier) pseudonyms(r storage.AuthRequest, name []byte, id [aes.BlockSize]byte) []storage.AuthenticatorID {
	var out []storage.AuthenticatorID
	for _, key := range v.nameKeys(r, name) {
		out = append(out, storage.FromBytes[storage.AuthenticatorID](permute(key, id, false)))
	}
	return out
}

// permute encrypts one block with AES, or decrypts it.
func permute(key []byte, b [aes.BlockSize]byte, decrypt bool) [aes.BlockSize]byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("mfa: " + err.Error()) // wrong key length
	}
	if decrypt {
		block.Decrypt(b[:], b[:])
	} else {
		block.Encrypt(b[:], b[:])
	}
	return b
}

// decoyID returns the authenticator ID of a method for unknown names.
func (v *Verifier) decoyID(method string) [aes.BlockSize]byte {
	return v.hash128("decoy method", method)
}

// candidate is what a pseudonym decrypts to if it was encrypted for name.
type candidate struct {
	name []byte
	id   [aes.BlockSize]byte
}

// decryptPseudonym returns the candidates of a pseudonym, one for each name and key of a login.
func (v *Verifier) decryptPseudonym(r storage.AuthRequest, id storage.AuthenticatorID) []candidate {
	b, ok := storage.Bytes(id)
	if !ok {
		return nil
	}
	var out []candidate
	for _, name := range r.Names {
		for _, key := range v.nameKeys(r, name) {
			out = append(out, candidate{name, permute(key, b, true)})
		}
	}
	return out
}

// OwnerOf returns the account and the identifier behind the pseudonym of a choice, for
// callers that send no identifier. The account is nil for a decoy, and the identifier only
// represents the typed name. It returns NotConfigured for anything that was not listed in
// this login.
func (v *Verifier) OwnerOf(ctx context.Context, r storage.AuthRequest, c Choice) (*storage.Account, string, error) {
	all := v.decryptPseudonym(r, c.Authenticator)
	var ids []storage.AuthenticatorID
	for _, x := range all {
		ids = append(ids, storage.FromBytes[storage.AuthenticatorID](x.id))
	}
	account, err := v.store.AccountByAuthenticator(ctx, ids...)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, "", fmt.Errorf("read account: %w", err)
	}
	for i, x := range all {
		if err != nil && x.id == v.decoyID(c.Method) {
			return nil, throttle.DigestIdentifier(x.name), nil
		}
		if a := account.Authenticator(ids[i]); a != nil && a.Method == c.Method && mfa.IsEnrolled(*a) {
			return &account, throttle.DigestIdentifier(x.name), nil
		}
	}
	return nil, "", &mfa.Error{Code: mfa.NotConfigured}
}

// resolvePseudonym returns the ID of an authenticator of the account that was listed under a
// pseudonym before the first factor, and any other ID as it is.
func (v *Verifier) resolvePseudonym(p Login, id storage.AuthenticatorID) storage.AuthenticatorID {
	if p.Account == nil || id == "" || p.Account.Authenticator(id) != nil {
		return id
	}
	for _, x := range v.decryptPseudonym(p.Request, id) {
		if a := p.Account.Authenticator(storage.FromBytes[storage.AuthenticatorID](x.id)); a != nil {
			return a.ID
		}
	}
	return id
}

// matchesOption reports whether a choice is an option: its method and, if given, its ID or
// pseudonym.
func (v *Verifier) matchesOption(p Login, c Choice, o Option) bool {
	switch {
	case c.Method != o.Method:
		return false
	case c.Authenticator == "":
		return true
	case p.nameOnly():
		return slices.Contains(o.aliases, c.Authenticator)
	}
	return v.resolvePseudonym(p, c.Authenticator) == o.Authenticator
}

// maxLoginNames is how many names a login lists factors for until a user is identified.
const maxLoginNames = 10

// nameOnly reports whether the login has a typed name but no identified user.
func (p Login) nameOnly() bool { return p.Request.Subject == "" && p.Identifier != "" }

// newName returns the digest of the typed name if the login does not remember it; else nil.
// A new name takes from the caller's budget.
func (v *Verifier) newName(caller mfa.Caller, p Login) ([]byte, error) {
	if !p.nameOnly() {
		return nil, nil
	}
	name := v.digest(p.Identifier)
	if slices.ContainsFunc(p.Request.Names, func(n []byte) bool { return bytes.Equal(n, name) }) {
		return nil, nil
	}
	return name, v.o.Admit.Spend(caller, budget.Names, 1)
}

// RememberName stores the typed name in the login, so that pseudonyms listed for it can be
// decrypted. Call it before Options. TooManyInitiations: the login has too many names.
func (v *Verifier) RememberName(ctx context.Context, caller mfa.Caller, p Login) error {
	name, err := v.newName(caller, p)
	if err != nil || name == nil {
		return err
	}
	err = v.store.RememberName(ctx, p.Request.ID, name, p.share(maxLoginNames), v.now())
	if errors.Is(err, storage.ErrConflict) {
		return v.conflictError(p, name)
	}
	if err != nil {
		return fmt.Errorf("remember name: %w", err)
	}
	return nil
}
