package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"sallyport/storage"
)

// ErrTampered says that sealed bytes do not open: they were changed, or they were
// sealed for another purpose or row, or under a key this server does not have.
var ErrTampered = errors.New("seal: tampered")

// ErrNoKey says that the keyring holds no active key for what was asked.
var ErrNoKey = errors.New("seal: no active key")

const envelopeVersion = 1

// Seal encrypts a column. An envelope is version | key id | nonce and box
// (AES-256-GCM); its additional data is purpose | row | key id, so that it opens in
// its own place only. Nil stays nil.
func (k *Keyring) Seal(purpose, row string, plain []byte) ([]byte, error) {
	if plain == nil {
		return nil, nil
	}
	key := k.state.Load().current("data")
	if key == nil {
		return nil, fmt.Errorf("%w: data", ErrNoKey)
	}
	head := append([]byte{envelopeVersion}, key.raw[:]...)
	box := key.box.Seal(nil, nil, plain, additional(purpose, row, string(key.raw[:])))
	return append(head, box...), nil
}

// Open decrypts what Seal made. Nil stays nil.
func (k *Keyring) Open(purpose, row string, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	if len(sealed) < 17 || sealed[0] != envelopeVersion {
		return nil, ErrTampered
	}
	key := k.state.Load().byID[[16]byte(sealed[1:17])]
	if key == nil || key.box == nil {
		return nil, ErrTampered
	}
	plain, err := key.box.Open(nil, nil, sealed[17:], additional(purpose, row, string(key.raw[:])))
	if err != nil {
		return nil, ErrTampered
	}
	if plain == nil {
		plain = []byte{} // an empty secret is not the same as none
	}
	return plain, nil
}

// SealedByCurrent reports whether Seal would use the very key an envelope is under.
func (k *Keyring) SealedByCurrent(sealed []byte) bool {
	key := k.state.Load().current("data")
	return key != nil && len(sealed) >= 17 && [16]byte(sealed[1:17]) == key.raw
}

// wrap seals key material under a KEK; the additional data names the row.
func wrap(kek KEK, row storage.Key, material []byte) ([]byte, error) {
	box, err := newBox(kek.key())
	if err != nil {
		return nil, err
	}
	return append([]byte{envelopeVersion}, box.Seal(nil, nil, material, wrapped(kek, row))...), nil
}

func unwrap(kek KEK, row storage.Key) ([]byte, error) {
	if len(row.Sealed) < 1 || row.Sealed[0] != envelopeVersion {
		return nil, ErrTampered
	}
	box, err := newBox(kek.key())
	if err != nil {
		return nil, err
	}
	material, err := box.Open(nil, nil, row.Sealed[1:], wrapped(kek, row))
	if err != nil {
		return nil, ErrTampered
	}
	return material, nil
}

func wrapped(kek KEK, row storage.Key) []byte {
	return additional("key", string(row.ID), row.Use, row.Alg, kek.ID)
}

func newBox(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return box, nil
}

// additional joins parts so that no two different lists give the same bytes.
func additional(parts ...string) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.AppendUvarint(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}
