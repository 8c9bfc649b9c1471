// Package secret creates and compares the secrets of clients and API keys. Servers store
// only the SHA-256 of a secret, which is enough for 256 random bits.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Refusals of rotations.
var (
	ErrRotating    = errors.New("a rotation is under way: two secrets are valid; finish it first")
	ErrNotRotating = errors.New("no rotation is under way: only one secret is valid")
)

// New returns 256 random bits in base64url.
func New(random io.Reader) (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// Sum returns the SHA-256 of a secret.
func Sum(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// Matches reports whether a sum is one of these. The time it takes does not depend on which.
func Matches(hashes [][]byte, sum []byte) bool {
	found := 0
	for _, h := range hashes {
		found |= subtle.ConstantTimeCompare(sum, h)
	}
	return found == 1
}
