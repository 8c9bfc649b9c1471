package clientkeys

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/provider/fetch"
	"sallyport/storage"
)

// pair is a key of a client.
type pair struct {
	private any
	public  jose.JSONWebKey
}

func newPair(t *testing.T, alg, kid string) pair {
	t.Helper()
	var p pair
	var err error
	switch alg {
	case "RS256", "PS256":
		var key *rsa.PrivateKey
		key, err = rsa.GenerateKey(rand.Reader, 2048)
		p = pair{key, jose.JSONWebKey{Key: key.Public(), KeyID: kid}}
	case "RSA-1024":
		var key *rsa.PrivateKey
		key, err = rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // refused
		p = pair{key, jose.JSONWebKey{Key: key.Public(), KeyID: kid}}
	case "ES384":
		var key *ecdsa.PrivateKey
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		p = pair{key, jose.JSONWebKey{Key: key.Public(), KeyID: kid}}
	case "EdDSA":
		public, key, e := ed25519.GenerateKey(rand.Reader)
		p, err = pair{key, jose.JSONWebKey{Key: public, KeyID: kid}}, e
	default:
		var key *ecdsa.PrivateKey
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		p = pair{key, jose.JSONWebKey{Key: key.Public(), KeyID: kid}}
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p pair) sign(t *testing.T, alg, kid string) string {
	t.Helper()
	return sign(t, alg, p.private, map[jose.HeaderKey]any{"kid": kid})
}

// sign signs a payload; a header without a value is left out.
func sign(t *testing.T, alg string, key any, headers map[jose.HeaderKey]any) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("oauth-authz-req+jwt")
	for name, value := range headers {
		if value != "" {
			o = o.WithHeader(name, value)
		}
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign([]byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// renamed is a token with the name that RFC 9864 gives to EdDSA, which go-jose does not write.
func renamed(t *testing.T, p pair) string {
	t.Helper()
	return compact(t, p, `{"alg":"Ed25519","kid":"`+p.public.KeyID+`","typ":"oauth-authz-req+jwt"}`)
}

// compact signs a header with an Ed25519 key.
func compact(t *testing.T, p pair, header string) string {
	t.Helper()
	key, ok := p.private.(ed25519.PrivateKey)
	if !ok {
		t.Fatalf("a key of type %T", p.private)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte("payload"))
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

func set(t *testing.T, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var all = Algorithms()

func resolver(s *httptest.Server, now func() time.Time) *Resolver {
	o := fetch.Options{}
	if s != nil {
		o.Roots = x509.NewCertPool()
		o.Roots.AddCert(s.Certificate())
		o.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	return New(fetch.New(now, o), now)
}

// Conformance (Request objects): RFC 9101 6.2, RFC 8725 3.1: a request object is signed with a key and an algorithm of its client; `none` and HMAC are refused
// Conformance (Request objects): RFC 8725 3.10: only registered keys count: no `jwk`, `jku`, other `kid`
// Conformance (Client assertions): RFC 7523 3: it is signed with a registered key and an allowed algorithm: no `none`, no HMAC, no key in the header
// Conformance (Client assertions): RFC 9864 2.2: EdDSA is accepted by the name Ed25519 too
func TestRegisteredKeysVerify(t *testing.T) {
	es, rs, ed, other := newPair(t, "ES256", "es"), newPair(t, "RS256", "rs"), newPair(t, "EdDSA", "ed"), newPair(t, "ES256", "es")
	bound := rs.public
	bound.Algorithm, bound.KeyID = "PS256", "ps"
	c := &storage.Client{JWKS: set(t, es.public, rs.public, ed.public, bound)}
	r := resolver(nil, time.Now)
	text := set(t, rs.public)
	hmac := sign(t, "HS256", text, map[jose.HeaderKey]any{"kid": "rs"})
	header, payload, _ := strings.Cut(es.sign(t, "ES256", "es"), ".")
	payload, _, _ = strings.Cut(payload, ".")
	none := "eyJhbGciOiJub25lIn0." + payload + "."
	for _, tc := range []struct {
		name, token string
		algs        []string
		want        error
	}{
		{"ES256", es.sign(t, "ES256", "es"), all, nil},
		{"RS256", rs.sign(t, "RS256", "rs"), all, nil},
		{"PS256", rs.sign(t, "PS256", "rs"), all, nil},
		{"EdDSA", ed.sign(t, "EdDSA", "ed"), all, nil},
		{"Ed25519, the new name", renamed(t, ed), all, nil},
		{"Ed25519 where its old name is registered", renamed(t, ed), []string{"EdDSA"}, ErrMalformed},
		{"Ed25519 with another key", renamed(t, newPair(t, "EdDSA", "ed")), all, ErrSignature},
		{"Ed25519 of an EC key", renamed(t, pair{ed.private, es.public}), all, ErrSignature},
		{"a critical header with Ed25519", compact(t, ed, `{"alg":"Ed25519","kid":"ed","crit":["x"],"x":1}`), all, ErrSignature},
		{"a changed payload with Ed25519", strings.Replace(renamed(t, ed), ".cGF5bG9hZA.", ".cGF5bG9hZB.", 1), all, ErrSignature},
		{"no kid", ed.sign(t, "EdDSA", ""), all, nil},
		{"an algorithm the caller does not allow", rs.sign(t, "RS256", "rs"), []string{"PS256", "ES256"}, ErrMalformed},
		{"an algorithm nobody allows", rs.sign(t, "RS512", "rs"), append([]string{"RS512"}, all...), ErrMalformed},
		{"a key for another algorithm", rs.sign(t, "RS256", "ps"), all, ErrSignature},
		{"a key of another client", other.sign(t, "ES256", "es"), all, ErrSignature},
		{"a kid that is not registered", es.sign(t, "ES256", "other"), all, ErrSignature},
		{"a kid of another key", es.sign(t, "ES256", "rs"), all, ErrSignature},
		{"a kid that is a path", es.sign(t, "ES256", "../../es"), all, ErrSignature},
		{"a key in the header", sign(t, "ES256", other.private, map[jose.HeaderKey]any{"jwk": other.public}), all, ErrSignature},
		{"an address of keys in the header", sign(t, "ES256", other.private, map[jose.HeaderKey]any{"jku": "https://evil.example/jwks", "kid": "es"}), all, ErrSignature},
		{"the public key as a secret", hmac, append([]string{"HS256"}, all...), ErrMalformed},
		{"no signature", none, append([]string{"none"}, all...), ErrMalformed},
		{"no signature, signed elsewhere", header + "." + payload + ".", all, ErrSignature},
		{"an unknown critical header", sign(t, "ES256", es.private, map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}), all, ErrSignature},
		{"encrypted", "a.b.c.d.e", all, ErrMalformed},
		{"nothing", "", all, ErrMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := r.Verify(context.Background(), c, tc.token, tc.algs, nil)
			if !errors.Is(err, tc.want) || tc.want == nil && (string(got.Payload) != "payload" || got.Type != "oauth-authz-req+jwt") {
				t.Errorf("Verify = %+v, %v, want %v", got, err, tc.want)
			}
		})
	}
	if _, err := r.Verify(context.Background(), &storage.Client{}, es.sign(t, "ES256", "es"), all, nil); !errors.Is(err, ErrNoKeys) {
		t.Errorf("a client without keys = %v, want %v", err, ErrNoKeys)
	}
}

func TestSetsThatCanBeRegistered(t *testing.T) {
	es, rs, weak, other := newPair(t, "ES256", "a"), newPair(t, "RS256", "b"), newPair(t, "RSA-1024", "c"), newPair(t, "ES384", "d")
	long := jose.JSONWebKey{Key: &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 4096, 1), E: 65537}}
	enc := es.public
	enc.Use = "enc"
	signs := other.public
	signs.Use = "sig"
	many := make([]jose.JSONWebKey, maxKeys+1)
	for i := range many {
		many[i] = es.public
	}
	unknown := strings.Replace(string(set(t, es.public)), `"keys":[`, `"keys":[{"kty":"AKP","pub":"x"},`, 1)
	for _, tc := range []struct {
		name, text, want string
	}{
		{"public keys", string(set(t, es.public, rs.public)), ""},
		{"a type that is unknown, beside", unknown, ""},
		{"a private key", string(set(t, jose.JSONWebKey{Key: es.private})), "private or symmetric"},
		{"a private key beside a public one", string(set(t, es.public, jose.JSONWebKey{Key: rs.private})), "private or symmetric"},
		{"a secret", `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`, "private or symmetric"},
		{"a short RSA key", string(set(t, weak.public)), "has no key"},
		{"an RSA key of 4097 bits", string(set(t, long)), "has no key"},
		{"a curve for encryption alone", string(set(t, other.public)), ""},
		{"a key for encryption", string(set(t, enc)), ""},
		{"that curve, for signatures", string(set(t, signs)), "has no key"},
		{"no keys", `{"keys":[]}`, "has no key"},
		{"too many keys", string(set(t, many...)), "more than 50"},
		{"a key alone", strings.TrimSuffix(strings.TrimPrefix(string(set(t, es.public)), `{"keys":[`), `]}`), "not a JWK Set"},
		{"nothing", "", "not a JWK Set"},
		{"too long", `{"keys":[]` + strings.Repeat(" ", MaxSet) + `}`, "longer than"},
	} {
		err := CheckSet([]byte(tc.text), false)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// published is a key set at a jwks_uri that its client changes.
func published(t *testing.T) (c *storage.Client, s *httptest.Server, put func([]byte), calls *atomic.Int32) {
	t.Helper()
	var text atomic.Value
	calls = &atomic.Int32{}
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		fmt.Fprintf(w, "%s", text.Load())
	}))
	t.Cleanup(s.Close)
	return &storage.Client{JWKSURI: s.URL}, s, func(b []byte) { text.Store(b) }, calls
}

// Conformance (Request objects): OpenID Connect Core 10.1.1: keys at a `jwks_uri` can rotate
func TestKeysRotate(t *testing.T) {
	c, s, put, calls := published(t)
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	r := resolver(s, func() time.Time { return now })
	ctx := context.Background()
	a, b, last := newPair(t, "ES256", "a"), newPair(t, "ES256", "b"), newPair(t, "ES256", "last")
	put(set(t, last.public))
	if _, err := r.Verify(ctx, c, last.sign(t, "ES256", "last"), all, nil); err != nil {
		t.Fatal(err)
	}
	put(set(t, a.public))
	if _, err := r.Verify(ctx, c, a.sign(t, "ES256", "a"), all, nil); err != nil {
		t.Errorf("a new key at once: %v", err)
	}
	put(set(t, b.public))
	for range 50 { // nobody makes the server fetch the set again and again
		if _, err := r.Verify(ctx, c, b.sign(t, "ES256", "b"), all, nil); !errors.Is(err, ErrSignature) {
			t.Fatalf("another one at once = %v, want %v", err, ErrSignature)
		}
	}
	if calls.Load() != 2 {
		t.Errorf("%d calls, want 2", calls.Load())
	}
	now = now.Add(refetch)
	if _, err := r.Verify(ctx, c, b.sign(t, "ES256", "b"), all, nil); err != nil {
		t.Errorf("a new key after %s: %v", refetch, err)
	}
	if _, err := r.Verify(ctx, c, a.sign(t, "ES256", "a"), all, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("a removed key = %v, want %v", err, ErrSignature)
	}
	s.Close()
	now = now.Add(30 * time.Minute)
	if _, err := r.Verify(ctx, c, b.sign(t, "ES256", "b"), all, nil); err != nil {
		t.Errorf("while the set is away: %v", err)
	}
	now = now.Add(time.Hour)
	if _, err := r.Verify(ctx, c, b.sign(t, "ES256", "b"), all, nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("long after the set went away = %v, want %v", err, ErrUnavailable)
	}
}

// Conformance (Request objects): OpenID Connect Core 10.1.1: keys at a `jwks_uri` can rotate
// Conformance (Attacks): OpenID Connect Core 10.1.1: keys of a client, and of the server, rotate while both are in use
func TestKeysRotateUnderLoad(t *testing.T) {
	c, s, put, calls := published(t)
	var ahead atomic.Int64
	start := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	r := resolver(s, func() time.Time { return start.Add(time.Duration(ahead.Load())) })
	a, b := newPair(t, "ES256", "a"), newPair(t, "ES256", "b")
	put(set(t, a.public))
	old, fresh := a.sign(t, "ES256", "a"), b.sign(t, "ES256", "b")
	if _, err := r.Verify(context.Background(), c, old, all, nil); err != nil {
		t.Fatal(err)
	}
	put(set(t, a.public, b.public))
	ahead.Store(int64(refetch))
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			token := old
			if i%2 == 0 {
				token = fresh
			}
			if _, err := r.Verify(context.Background(), c, token, all, nil); err != nil {
				t.Errorf("token %d: %v", i%2, err)
			}
		})
	}
	wg.Wait()
	if calls.Load() != 2 {
		t.Errorf("%d calls, want 2", calls.Load())
	}
}

func TestPrivateKeysAtAnAddressAreIgnored(t *testing.T) {
	c, s, put, _ := published(t)
	r := resolver(s, time.Now)
	a := newPair(t, "ES256", "a")
	put(set(t, jose.JSONWebKey{Key: a.private, KeyID: "a"}))
	if _, err := r.Verify(context.Background(), c, a.sign(t, "ES256", "a"), all, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("Verify = %v, want %v", err, ErrSignature)
	}
}
