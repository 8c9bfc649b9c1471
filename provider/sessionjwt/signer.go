// Package sessionjwt signs and verifies the JWTs in which the Streambird and Stytch dialects
// describe a session to backends. Their keys sign nothing else, and tokens of other keys are
// refused.
package sessionjwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"sallyport/provider/oauth"
	"sallyport/provider/signing"
	"sallyport/storage/seal"
)

// use is that of the keys in the keyring.
const use = "dialect"

// ErrInvalid means that a text is not a JWT signed by one of the keys.
var ErrInvalid = errors.New("sessionjwt: not a session JWT of this server")

// Signer signs and verifies the JWTs of one dialect. It always has the keys of the keyring.
type Signer struct {
	keyring *seal.Keyring
	keys    *signing.Keys

	mu      sync.Mutex
	loaded  bool
	version uint64 // of the keyring whose keys are loaded
}

// New returns a Signer. The form has the dialect's kid: by it, dialects refuse each other's JWTs.
func New(keyring *seal.Keyring, random io.Reader, f signing.Form) *Signer {
	return &Signer{keyring: keyring, keys: signing.New(f, random)}
}

// load loads the keys again if the keyring has changed.
func (s *Signer) load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := s.keyring.Version()
	if s.loaded && version == s.version {
		return nil
	}
	if err := s.keys.Load(s.keyring.Signings(use)); err != nil {
		return fmt.Errorf("load keys of session JWTs: %w", err)
	}
	s.loaded, s.version = true, version
	return nil
}

// Sign returns a JWT with these claims, signed by the newest active key. The header has alg, typ
// and kid.
func (s *Signer) Sign(claims any, now time.Time) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write claims: %w", err)
	}
	if err := s.load(); err != nil {
		return "", err
	}
	return s.keys.Sign(seal.DialectAlg, signing.TypeIDToken, payload, now)
}

// Verify checks only the signature of a JWT and returns its claims, which must not be changed,
// or ErrInvalid. Whether an expired one is accepted is up to the caller: in both dialects it is
// as long as its session lives.
func (s *Signer) Verify(token string) ([]byte, error) {
	if err := s.load(); err != nil {
		return nil, err
	}
	payload, typ, err := s.keys.Verify(token)
	if err != nil || typ != signing.TypeIDToken {
		return nil, ErrInvalid
	}
	return payload, nil
}

// JWKS returns the key set of the dialect (RFC 7517 section 5).
func (s *Signer) JWKS() (oauth.Document, error) {
	if err := s.load(); err != nil {
		return oauth.Document{}, err
	}
	return s.keys.JWKS(), nil
}
