// Package secret creates and compares the secrets of clients and API keys. Servers store
// only the SHA-256 of a secret, which is enough for 256 random bits. Those of clients that sign with
// their secret are stored sealed besides.
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
func New(random io.Reader) (string, error) { return newSecret(random, 32) }

// ForClient returns the secret of a client: 384 random bits in base64url, in 64 characters. That is a
// key for HS512, too (RFC 7518 section 3.2).
func ForClient(random io.Reader) (string, error) { return newSecret(random, 48) }

func newSecret(random io.Reader, size int) (string, error) {
	b := make([]byte, size)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
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
