package signing

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/provider/oauth"
	"sallyport/storage/seal"
)

// Values of the typ header. An access token must not be accepted as an ID token, nor an ID
// token as an access token (RFC 9068 section 2.1).
const (
	TypeIDToken     = "JWT"
	TypeAccessToken = "at+jwt"
	TypeLogoutToken = "logout+jwt" // OpenID Connect Back-Channel Logout 1.0 section 2.4
	TypeUserinfo    = "JWT"        // no other is registered, and libraries refuse others
	// TypeResponse is that of authorization responses: JARM names none.
	TypeResponse      = "JWT"
	TypeIntrospection = "token-introspection+jwt" // RFC 9701 section 5
)

// algorithms are the signature algorithms, in the order of preference.
var algorithms = [...]jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// Algorithms returns the algorithms that may sign tokens (RFC 7518 section 3.1), never HS*
// or none.
func Algorithms() []string {
	var out []string
	for _, alg := range algorithms {
		out = append(out, string(alg))
	}
	return out
}

// parseAlgorithm returns the go-jose name of a supported algorithm.
func parseAlgorithm(name string) (jose.SignatureAlgorithm, bool) {
	for _, a := range algorithms {
		if string(a) == name {
			return a, true
		}
	}
	return "", false
}

// Keys are the signing keys of one use. They are replaced as a whole.
type Keys struct {
	form    Form
	random  io.Reader
	current atomic.Pointer[keySet]
}

// New returns Keys whose key set has a form.
func New(f Form, random io.Reader) *Keys { return &Keys{form: f, random: random} }

type keySet struct {
	signing  []signingKey // newest first
	jwks     oauth.Document
	verified verifiedTokens
}

type signingKey struct {
	seal.Signing
	kid     string
	alg     jose.SignatureAlgorithm
	public  any
	headers map[string]string // by typ: the header in base64url, and a dot
}

var errKey = errors.New("signing: no such key")

// Load replaces the keys.
func (k *Keys) Load(signings []seal.Signing) error {
	next := &keySet{}
	set := published{Keys: []any{}}
	var err error
	for _, s := range signings {
		alg, ok := parseAlgorithm(s.Alg)
		if !ok {
			return fmt.Errorf("signing key %s: algorithm %q is unknown", s.ID, s.Alg)
		}
		key := signingKey{Signing: s, kid: k.form.kid(s.ID), alg: alg, public: s.Key.Public(), headers: map[string]string{}}
		for _, typ := range []string{TypeIDToken, TypeAccessToken, TypeLogoutToken, TypeIntrospection} {
			if key.headers[typ], err = key.header(typ); err != nil {
				return fmt.Errorf("signing key %s: %w", s.ID, err)
			}
		}
		next.signing = append(next.signing, key)
		described, err := k.form.describe(key)
		if err != nil {
			return fmt.Errorf("signing key %s: %w", s.ID, err)
		}
		set.Keys = append(set.Keys, described)
	}
	if next.jwks, err = oauth.NewDocument(set); err != nil {
		return err
	}
	k.current.Store(next)
	return nil
}

// Algorithms returns the algorithms for which there are keys, in the order of preference.
func (k *Keys) Algorithms() []string {
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

// Sign signs a payload with the newest active key of an algorithm.
func (k *Keys) Sign(alg, typ string, payload []byte, now time.Time) (string, error) {
	signing := k.current.Load().signing
	for i := range signing {
		key := &signing[i]
		if string(key.alg) != alg || !key.ActiveOn(now) {
			continue
		}
		jws, err := key.sign(typ, payload, k.random)
		if err != nil {
			return "", fmt.Errorf("sign with key %s: %w", key.kid, err)
		}
		return jws, nil
	}
	return "", fmt.Errorf("%w for %s", errKey, alg)
}

// Verify checks the signature of a token from this server and returns its payload and typ.
// The key determines the algorithm, never the token (RFC 8725 section 3.1).
func (k *Keys) Verify(token string) ([]byte, string, error) {
	current := k.current.Load()
	if payload, typ, ok := current.verified.get(token); ok {
		return payload, typ, nil
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
		current.verified.put(token, typ)
		return payload, typ, nil
	}
	return nil, "", errKey
}

// JWKS returns the published key set (RFC 7517 section 5).
func (k *Keys) JWKS() oauth.Document { return k.current.Load().jwks }

// HalfHash returns the value of at_hash and c_hash (OpenID Connect Core section 3.1.3.6):
// the left half of the hash that belongs to the algorithm. Ed25519 uses SHA-512 (RFC 8032
// section 5.1).
func HalfHash(alg, token string) string {
	if alg == string(jose.EdDSA) {
		sum := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
