package mfa

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"

	"sallyport/storage"
)

// stranger begins the identifier that stands for whoever enrolled an authenticator. No
// typed identifier is like it: text with a NUL never gets past the front door.
const stranger = "authenticator\x00"

// faceBytes of a decoy's authenticator say who it would belong to, the rest of which
// method it is.
const faceBytes = 14

// OwnerOf returns whose authenticator a choice is about, for callers that name nobody
// else: login pages send back only what a list gave them. For one that was invented the
// answer is an identifier that nobody has. One that is nobody's, or of another method,
// is refused, whoever's it is or is not.
func (v *Verifier) OwnerOf(ctx context.Context, c Choice) (*storage.Account, string, error) {
	account, err := v.store.AccountByAuthenticator(ctx, c.Authenticator)
	if errors.Is(err, storage.ErrNotFound) {
		if _, method := v.invented(c.Authenticator); method != c.Method {
			return nil, "", &Error{Code: NotConfigured}
		}
		return nil, stranger + string(c.Authenticator), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("read account: %w", err)
	}
	if a := byID(&account, c.Authenticator); a == nil || a.Method != c.Method || !standing(*a) {
		return nil, "", &Error{Code: NotConfigured}
	}
	return &account, "", nil
}

// strangersAuthenticator is what OwnerOf made an identifier of.
func strangersAuthenticator(identifier string) (storage.AuthenticatorID, bool) {
	id, ok := strings.CutPrefix(identifier, stranger)
	return storage.AuthenticatorID(id), ok
}

// face is what stands for an identifier nobody has, however it is named. A user is the
// same one by their name and by their authenticator: the same failures count, the same
// masked subject is shown. So it has to be with those who do not exist.
func (v *Verifier) face(identifier string) string {
	if id, ok := strangersAuthenticator(identifier); ok {
		face, _ := v.invented(id)
		return face
	}
	b := v.hash128("decoy", identifier)
	return string(b[:faceBytes])
}

// invent makes the authenticator of a method for an identifier nobody has. Encrypted it
// looks like any other, and we alone can read the face in it.
func (v *Verifier) invent(method, identifier string) storage.AuthenticatorID {
	var b [aes.BlockSize]byte
	mark := v.hash128("decoy method", method)
	copy(b[copy(b[:], v.face(identifier)):], mark[:])
	v.disguise().Encrypt(b[:], b[:])
	return storage.FromBytes[storage.AuthenticatorID](b)
}

// invented reads what invent made; without a method it is not of our making.
func (v *Verifier) invented(id storage.AuthenticatorID) (face, method string) {
	b, ok := storage.Bytes(id)
	if !ok {
		return "", ""
	}
	v.disguise().Decrypt(b[:], b[:])
	for _, i := range v.infos {
		if mark := v.hash128("decoy method", i.Name); bytes.HasPrefix(mark[:], b[faceBytes:]) {
			return string(b[:faceBytes]), i.Name
		}
	}
	return "", ""
}

// disguise is a permutation of 16 bytes that only the server knows.
func (v *Verifier) disguise() cipher.Block {
	key := v.hash128("decoy key", "authenticator")
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("mfa: " + err.Error()) // of another length than 16, 24 or 32
	}
	return block
}
