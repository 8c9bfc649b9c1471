package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// pairwise is the use of the key behind the identifiers of pairwise clients. It never changes: clients
// store these identifiers.
const pairwise = "pairwise"

// errPairwise refuses to rotate or withdraw that key.
var errPairwise = errors.New("pairwise subjects are derived from this key, and clients store them: it never changes")

// Pairwise returns what the clients of a sector see in place of an identifier (OpenID Connect Core section
// 8.1): a permutation of the identifiers, of its own for each purpose and sector (AES-256 of one block under
// a key derived by HMAC), so that nobody without the key connects the values of two sectors, and
// FromPairwise finds the identifier without a search. It returns false while the keyring has no such key.
func (k *Keyring) Pairwise(purpose, sector string, id [16]byte) ([16]byte, bool) {
	block := k.permutation(purpose, sector)
	if block == nil {
		return id, false
	}
	block.Encrypt(id[:], id[:])
	return id, true
}

// FromPairwise returns the identifier behind a value of Pairwise. A value that Pairwise did not return
// gives an identifier that nothing has.
func (k *Keyring) FromPairwise(purpose, sector string, value [16]byte) ([16]byte, bool) {
	block := k.permutation(purpose, sector)
	if block == nil {
		return value, false
	}
	block.Decrypt(value[:], value[:])
	return value, true
}

func (k *Keyring) permutation(purpose, sector string) cipher.Block {
	key := k.MAC(pairwise, purpose, sector)
	if key == nil {
		return nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil // of a key of another length
	}
	return block
}
