package provider

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage/seal"
)

// The typ headers of our tokens. RFC 9068 section 2.1: an access token must not pass as
// anything else, nor anything else as an access token.
const (
	typeID     = "JWT"
	typeAccess = "at+jwt"
)

// algorithms are those we sign and verify with, none and HMAC not among them.
var algorithms = [...]jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// Algorithms returns the algorithms that may sign tokens (RFC 7518 section 3.1). HS* and none
// are not among them.
func Algorithms() []string {
	var out []string
	for _, alg := range algorithms {
		out = append(out, string(alg))
	}
	return out
}

// algorithm returns the go-jose name of an algorithm we have.
func algorithm(name string) (jose.SignatureAlgorithm, bool) {
	for _, a := range algorithms {
		if string(a) == name {
			return a, true
		}
	}
	return "", false
}

// Document is an answer that is the same for everybody.
type Document struct {
	Body []byte
	ETag string
}

func newDocument(v any) (Document, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return Document{}, fmt.Errorf("write document: %w", err)
	}
	sum := sha256.Sum256(body)
	return Document{Body: body, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`}, nil
}

// keyset is the published signing keys with their signers, replaced as a whole.
type keyset struct{ current atomic.Pointer[keys] }

type keys struct {
	signing []signingKey // newest first
	jwks    Document
	checked checkedTokens
}

type signingKey struct {
	seal.Signing
	kid     string
	alg     jose.SignatureAlgorithm
	public  any
	signers map[string]jose.Signer // by typ, made once
}

var errKey = errors.New("provider: no such signing key")

// build replaces the keys.
func (k *keyset) build(signings []seal.Signing) error {
	next := &keys{}
	var set jose.JSONWebKeySet
	for _, s := range signings {
		alg, ok := algorithm(s.Alg)
		if !ok {
			return fmt.Errorf("signing key %s: algorithm %q is unknown", s.ID, s.Alg)
		}
		key := signingKey{Signing: s, kid: string(s.ID), alg: alg, public: s.Key.Public(), signers: map[string]jose.Signer{}}
		for _, typ := range []string{typeID, typeAccess} {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: s.Key, KeyID: key.kid}},
				(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
			if err != nil {
				return fmt.Errorf("signing key %s: %w", s.ID, err)
			}
			key.signers[typ] = signer
		}
		next.signing = append(next.signing, key)
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.public, KeyID: key.kid, Algorithm: string(alg), Use: "sig"})
	}
	if set.Keys == nil {
		set.Keys = []jose.JSONWebKey{}
	}
	var err error
	if next.jwks, err = newDocument(set); err != nil {
		return err
	}
	k.current.Store(next)
	return nil
}

// algorithms are those there are keys for, in the order of preference.
func (k *keyset) algorithms() []string {
	out := []string{}
	for _, alg := range algorithms {
		for _, key := range k.current.Load().signing {
			if key.alg == alg && !slices.Contains(out, string(alg)) {
				out = append(out, string(alg))
			}
		}
	}
	return out
}

// sign signs a payload with the newest active key of an algorithm.
func (k *keyset) sign(alg, typ string, payload []byte, now time.Time) (string, error) {
	for _, key := range k.current.Load().signing {
		if string(key.alg) != alg || !key.ActiveOn(now) {
			continue
		}
		jws, err := key.signers[typ].Sign(payload)
		if err != nil {
			return "", fmt.Errorf("sign with key %s: %w", key.kid, err)
		}
		return jws.CompactSerialize()
	}
	return "", fmt.Errorf("%w for %s", errKey, alg)
}

// verify checks the signature of a token of ours and returns its payload and typ. The
// algorithm is the key's, never the token's (RFC 8725 section 3.1).
func (k *keyset) verify(token string) ([]byte, string, error) {
	current := k.current.Load()
	if seen, ok := current.checked.get(token); ok {
		return seen.payload, seen.typ, nil
	}
	jws, err := jose.ParseSignedCompact(token, algorithms[:])
	if err != nil {
		return nil, "", fmt.Errorf("parse token: %w", err)
	}
	header := jws.Signatures[0].Protected
	for _, key := range current.signing {
		if key.kid != header.KeyID || string(key.alg) != header.Algorithm {
			continue
		}
		payload, err := jws.Verify(key.public)
		if err != nil {
			return nil, "", fmt.Errorf("verify token: %w", err)
		}
		typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
		current.checked.put(token, checkedToken{payload, typ})
		return payload, typ, nil
	}
	return nil, "", errKey
}

// JWKS is the published key set (RFC 7517 section 5).
func (p *Provider) JWKS() Document { return p.keys.current.Load().jwks }

// halfHash is at_hash (OpenID Connect Core section 3.1.3.6): the left half of the hash
// that belongs to the algorithm. Ed25519 is built on SHA-512 (RFC 8032 section 5.1).
func halfHash(alg, token string) string {
	if alg == string(jose.EdDSA) {
		sum := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
