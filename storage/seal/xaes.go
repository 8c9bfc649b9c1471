package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
)

const (
	// saltLength is the first half of a nonce of XAES-256-GCM, which selects the subkey.
	saltLength = 12
	// extended names the algorithm of data keys that seal with it, in storage.Key.Alg.
	extended = "XAES-256-GCM"
)

// xaes is XAES-256-GCM (c2sp.org/XAES-256-GCM). An AES-GCM key must not be used with more
// than 2^32 random nonces (NIST SP 800-38D section 8.3), which 10,000 seals a second reach
// in five days. XAES derives a subkey for each value from 96 random bits, so that 2^80
// values can be sealed under one key before a nonce repeats with probability 2^-32.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // the first subkey of CMAC (NIST SP 800-38B section 6.1)
}

// newXAES derives its key from a data key, because servers of an earlier version seal with
// plain AES-GCM under the data key itself (RFC 5869).
func newXAES(material []byte) (*xaes, error) {
	key, err := hkdf.Expand(sha256.New, material, extended, keyLength)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return rawXAES(key)
}

func rawXAES(key []byte) (*xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:])
	var carry byte
	for i := len(x.k1) - 1; i >= 0; i-- {
		x.k1[i], carry = x.k1[i]<<1|carry, x.k1[i]>>7
	}
	x.k1[len(x.k1)-1] ^= carry * 0b10000111
	return x, nil
}

// box returns AES-256-GCM under the subkey of a salt (NIST SP 800-108r1 section 4.1, with CMAC).
func (x *xaes) box(salt []byte) (cipher.AEAD, error) {
	key := make([]byte, keyLength)
	for i := range 2 {
		half := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		half[1], half[2] = byte(i+1), 'X'
		copy(half[4:], salt)
		for j := range half {
			half[j] ^= x.k1[j]
		}
		x.block.Encrypt(half, half)
	}
	return newBox(key)
}

// seal appends nonce and ciphertext to dst. The box generates the second half of the nonce.
func (x *xaes) seal(random io.Reader, dst, plain, additional []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, saltLength)...)
	if _, err := io.ReadFull(random, dst[start:]); err != nil {
		return nil, fmt.Errorf("seal: no randomness: %w", err)
	}
	box, err := x.box(dst[start:])
	if err != nil {
		return nil, err
	}
	return box.Seal(dst, nil, plain, additional), nil
}

func (x *xaes) open(sealed, additional []byte) ([]byte, error) {
	if len(sealed) < saltLength {
		return nil, ErrTampered
	}
	box, err := x.box(sealed[:saltLength])
	if err != nil {
		return nil, err
	}
	return box.Open(nil, nil, sealed[saltLength:], additional)
}
