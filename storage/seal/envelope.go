package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"sallyport/storage"
)

// ErrTampered means that sealed bytes do not open: they were changed, or sealed for another
// purpose or row, or under a key this server does not have.
var ErrTampered = errors.New("seal: tampered")

// ErrNoKey means that the keyring has no active key for the use.
var ErrNoKey = errors.New("seal: no active key")

// The versions of an envelope: version | key ID | content by version.
const (
	plainVersion    = 1 // nonce (12 bytes) and box of AES-256-GCM
	extendedVersion = 2 // nonce (24 bytes) and box of XAES-256-GCM
	headLength      = 1 + 16
)

// Seal encrypts a column. The additional data is purpose | row | key ID, so that an
// envelope opens only in its own row. Nil stays nil.
func (k *Keyring) Seal(purpose, row string, plain []byte) ([]byte, error) {
	if plain == nil {
		return nil, nil
	}
	key := k.state.Load().current("data")
	if key == nil {
		return nil, fmt.Errorf("%w: data", ErrNoKey)
	}
	out := make([]byte, 0, headLength+saltLength+key.box.Overhead()+len(plain))
	out = append(append(out, key.version()), key.raw[:]...)
	about := additional(purpose, row, string(key.raw[:]))
	if key.version() == plainVersion {
		return key.box.Seal(out, nil, plain, about), nil
	}
	return key.extended.seal(k.random, out, plain, about)
}

// Open decrypts an envelope of Seal, of this version or an earlier one. Nil stays nil.
func (k *Keyring) Open(purpose, row string, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	if len(sealed) < headLength {
		return nil, ErrTampered
	}
	key := k.state.Load().byID[[16]byte(sealed[1:headLength])]
	if key == nil || key.box == nil {
		return nil, ErrTampered
	}
	about := additional(purpose, row, string(key.raw[:]))
	var plain []byte
	var err error
	switch sealed[0] {
	case plainVersion:
		plain, err = key.box.Open(nil, nil, sealed[headLength:], about)
	case extendedVersion:
		plain, err = key.extended.open(sealed[headLength:], about)
	default:
		return nil, ErrTampered
	}
	if err != nil {
		return nil, ErrTampered
	}
	if plain == nil {
		plain = []byte{} // an empty secret is not the same as none
	}
	return plain, nil
}

// version is the version of envelopes under a data key. A key from before XAES-256-GCM
// still seals with AES-256-GCM, so that servers of that version can open its envelopes.
func (o *opened) version() byte {
	if o.row.Alg == extended {
		return extendedVersion
	}
	return plainVersion
}

// SealedByCurrent reports whether an envelope has the key and version Seal would use.
func (k *Keyring) SealedByCurrent(sealed []byte) bool {
	key := k.state.Load().current("data")
	return key != nil && len(sealed) >= headLength && sealed[0] == key.version() && [16]byte(sealed[1:headLength]) == key.raw
}

// wrap seals key material under a KEK; the additional data names the row. Keys are few and
// rarely wrapped: AES-256-GCM is far from its bound here.
func wrap(kek KEK, row storage.Key, material []byte) ([]byte, error) {
	box, err := newBox(kek.key())
	if err != nil {
		return nil, err
	}
	return append([]byte{plainVersion}, box.Seal(nil, nil, material, wrapped(kek, row))...), nil
}

func unwrap(kek KEK, row storage.Key) ([]byte, error) {
	if len(row.Sealed) < 1 || row.Sealed[0] != plainVersion {
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

// additional joins parts injectively: different lists give different bytes.
func additional(parts ...string) []byte {
	n := 0
	for _, p := range parts {
		n += binary.MaxVarintLen16 + len(p)
	}
	out := make([]byte, 0, n)
	for _, p := range parts {
		out = binary.AppendUvarint(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}
