package provider

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// tokenWith calls the token endpoint with these proofs.
func (h *fixture) tokenWith(id string, form url.Values, proofs ...string) reply {
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !form.Has("client_id") {
		r.Header.Set("Authorization", basic(id, clientSecret))
	}
	r.Header["Dpop"] = proofs
	return h.call(h.p.Grants.Token, r)
}

// userinfoWith calls the userinfo endpoint with a scheme and these proofs.
func (h *fixture) userinfoWith(scheme, token string, proofs ...string) reply {
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", scheme+" "+token)
	r.Header["Dpop"] = proofs
	return h.call(h.p.Introspection.Userinfo, r)
}

// tampered changes a character of the signature.
func tampered(jwt string) string {
	i := strings.LastIndex(jwt, ".") + 5
	c := byte('A')
	if jwt[i] == c {
		c = 'B'
	}
	return jwt[:i] + string(c) + jwt[i+1:]
}

// unsigned is a proof with alg none, or an HMAC whose key is the public one.
func unsigned(h *fixture, p *prover, alg string) string {
	public, err := json.Marshal(p.public)
	h.ok(err)
	if alg == "none" {
		payload := strings.Split(p.forToken(), ".")[1]
		return base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"none","jwk":`+string(public)+`}`)) + "." + payload + "."
	}
	hmac := &prover{h, jose.HS256, public, p.public}
	return hmac.forToken()
}

// hostileProofs are refused at the token endpoint. The checks of FAPI 2.0 have most of them.
func hostileProofs(h *fixture, p *prover) map[string][]string {
	h.t.Helper()
	now := h.now().Unix()
	private, err := json.Marshal(jose.JSONWebKey{Key: p.key})
	h.ok(err)
	other := h.prover()
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // refused
	h.ok(err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	h.ok(err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	h.ok(err)
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	h.ok(err)
	one := func(changes ...part) []string { return []string{p.forToken(changes...)} }
	return map[string][]string{
		"garbage":                      {"GARBAGE"},
		"empty":                        {""},
		"two headers":                  {p.forToken(), p.forToken()},
		"longer than a header":         one(part{"x", strings.Repeat("x", 9000)}),
		"no typ":                       one(part{"header typ", nil}),
		"the type of another JWT":      one(part{"header typ", "at+jwt"}),
		"no key":                       one(part{"header jwk", nil}),
		"a private key":                one(part{"header jwk", json.RawMessage(private)}),
		"a secret as the key":          one(part{"header jwk", map[string]string{"kty": "oct", "k": "c2VjcmV0"}}),
		"a key of another":             one(part{"header jwk", other.public}),
		"a key by address":             one(part{"header jwk", nil}, part{"header jku", "https://evil.example/jwks"}),
		"a key of another curve":       one(part{"header jwk", jose.JSONWebKey{Key: p384.Public()}}),
		"an unknown critical header":   one(part{"header crit", []string{"x"}}, part{"header x", 1}),
		"RS256":                        {(&prover{h, jose.RS256, rs, jose.JSONWebKey{Key: rs.Public()}}).forToken()},
		"a short RSA key":              {(&prover{h, jose.PS256, weak, jose.JSONWebKey{Key: weak.Public()}}).forToken()},
		"ES384":                        {(&prover{h, jose.ES384, p384, jose.JSONWebKey{Key: p384.Public()}}).forToken()},
		"no signature":                 {unsigned(h, p, "none")},
		"the public key as secret":     {unsigned(h, p, "HS256")},
		"a wrong signature":            {tampered(p.forToken())},
		"a wrong signature of Ed25519": {tampered(renamed(ed, (&prover{h, jose.EdDSA, ed, jose.JSONWebKey{Key: edPublic}}).forToken()))},
		"Ed25519 with another key":     {renamed(ed, p.forToken())},
		"no jti":                       one(part{"jti", nil}),
		"an empty jti":                 one(part{"jti", ""}),
		"a long jti":                   one(part{"jti", strings.Repeat("x", 257)}),
		"a jti that is a number":       one(part{"jti", 1}),
		"no htm":                       one(part{"htm", nil}),
		"another method":               one(part{"htm", "GET"}),
		"a method in lower case":       one(part{"htm", "post"}),
		"no htu":                       one(part{"htu", nil}),
		"another endpoint":             one(part{"htu", issuer + "/userinfo"}),
		"another server":               one(part{"htu", "https://evil.example/token"}),
		"another port":                 one(part{"htu", issuer + ":8443/token"}),
		"another scheme":               one(part{"htu", "http://op.example/token"}),
		"a path below":                 one(part{"htu", issuer + "/token/x"}),
		"an encoded slash":             one(part{"htu", "https://op.example%2Ftoken"}),
		"a user":                       one(part{"htu", "https://x@op.example/token"}),
		"no iat":                       one(part{"iat", nil}),
		"issued an hour ago":           one(part{"iat", now - 3600}),
		"issued in an hour":            one(part{"iat", now + 3600}),
		"issued too long ago":          one(part{"iat", now - 61}),
		"issued too far ahead":         one(part{"iat", now + 61}),
		"an iat without end":           one(part{"iat", 1e300}),
		"an iat that is text":          one(part{"iat", "now"}),
		"not valid yet":                one(part{"nbf", now + 3600}),
		"expired":                      one(part{"exp", now}),
	}
}

// Conformance (DPoP): RFC 9449 4.3: a proof is malformed, of another type, key, method, address or time, or forged: refused
func TestHostileProofs(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	p := h.prover()
	form := formOf("grant_type", "client_credentials", "scope", "read")
	for name, proofs := range hostileProofs(h, p) {
		before := h.engine.Stats().Commits
		got := h.tokenWith("rp", form, proofs...)
		if got.Status != http.StatusBadRequest || got.get("error") != "invalid_dpop_proof" || got.Refusal.Reason != "invalid_proof" {
			t.Errorf("%s: %d %s (%s), want 400 invalid_dpop_proof", name, got.Status, got.Raw, got.Refusal.Reason)
		}
		if n := h.engine.Stats().Commits - before; n != 0 {
			t.Errorf("%s: %d commits, want none", name, n)
		}
	}
}

// renamed is a proof of an Ed25519 key with the algorithm's name of RFC 9864, which go-jose does not write.
func renamed(key ed25519.PrivateKey, proof string) string {
	parts := strings.Split(proof, ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	text := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(header), "EdDSA", "Ed25519", 1))) + "." + parts[1]
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

func TestProofsThatAreAccepted(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	now := h.now().Unix()
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	h.ok(err)
	public, ed, err := ed25519.GenerateKey(rand.Reader)
	h.ok(err)
	es := h.prover()
	for name, proof := range map[string]string{
		"ES256":                        es.forToken(),
		"PS256":                        (&prover{h, jose.PS256, rs, jose.JSONWebKey{Key: rs.Public()}}).forToken(),
		"EdDSA":                        (&prover{h, jose.EdDSA, ed, jose.JSONWebKey{Key: public}}).forToken(),
		"Ed25519":                      renamed(ed, (&prover{h, jose.EdDSA, ed, jose.JSONWebKey{Key: public}}).forToken()),
		"query and fragment":           es.forToken(part{"htu", issuer + "/token?x=y#z"}),
		"case of scheme and host":      es.forToken(part{"htu", "HTTPS://OP.Example/token"}),
		"the default port":             es.forToken(part{"htu", issuer + ":443/token"}),
		"an encoded letter":            es.forToken(part{"htu", issuer + "/%74oken"}),
		"ten seconds early":            es.forToken(part{"iat", now - 10}),
		"ten seconds late":             es.forToken(part{"iat", now + 10}),
		"a fraction of a second":       es.forToken(part{"iat", float64(now) + 0.5}),
		"an end and a beginning":       es.forToken(part{"nbf", now}, part{"exp", now + 1}),
		"claims and headers of others": es.forToken(part{"x", "y"}, part{"header kid", "k"}),
		"a hash that nobody asked for": es.forToken(part{"ath", "x"}),
	} {
		got := h.tokenWith("rp", formOf("grant_type", "client_credentials", "scope", "read"), proof)
		if got.Status != http.StatusOK || got.get("token_type") != "DPoP" {
			t.Errorf("%s: %d %s, want tokens of type DPoP", name, got.Status, got.Raw)
		}
	}
}
