// Package dpoptest makes DPoP proofs for tests.
package dpoptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"
)

// Key is the key of a client.
type Key struct {
	testing.TB
	private *ecdsa.PrivateKey
}

// NewKey returns a new key.
func NewKey(t testing.TB) Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Key{t, private}
}

// Proof returns a proof for a request (RFC 9449 section 4.2), with the hash of an access token unless
// that is "".
func (k Key) Proof(method, url, token string, now time.Time) string {
	k.Helper()
	public, err := k.private.PublicKey.Bytes()
	if err != nil {
		k.Fatal(err)
	}
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": now.Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = encode(sum[:])
	}
	text := k.json(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{
		"kty": "EC", "crv": "P-256", "x": encode(public[1:33]), "y": encode(public[33:])}}) + "." + k.json(claims)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		k.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + encode(signature)
}

func (k Key) json(v any) string {
	k.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		k.Fatal(err)
	}
	return encode(text)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
