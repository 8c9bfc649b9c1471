package provider

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sallyport/storage"
	"sallyport/storage/storagetest"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// signsWith registers the key of a prover for private_key_jwt.
func signsWith(p *prover) func(*storage.Client) {
	return func(c *storage.Client) {
		public := p.public
		public.KeyID = "k"
		text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
		p.h.ok(err)
		c.AuthMethod, c.SecretHashes, c.JWKS = "private_key_jwt", nil, text
	}
}

// assert is a good assertion of a client, changed.
func (p *prover) assert(id string, changes ...part) string {
	now := p.h.now().Unix()
	return p.sign(map[string]any{"iss": id, "sub": id, "aud": issuer, "jti": storage.Random128(rand.Reader), "iat": now, "exp": now + 60},
		append([]part{{"header typ", "JWT"}, {"header jwk", nil}, {"header kid", "k"}}, changes...)...)
}

// asserting is a form with an assertion.
func asserting(text string, pairs ...string) url.Values {
	return formOf(append([]string{"client_assertion_type", assertionType, "client_assertion", text}, pairs...)...)
}

// at calls an endpoint without another authentication.
func (h *fixture) at(path string, form url.Values, headers ...string) reply {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	switch path {
	case "/introspect":
		return h.call(h.p.Introspection.Introspect, r)
	case "/revoke":
		return h.call(h.p.Introspection.Revoke, r)
	}
	return h.call(h.p.Grants.Token, r)
}

var reports = []string{"grant_type", "client_credentials", "scope", "read"}

// introspectsAndRevokes uses a token with assertions of client rp.
func (h *fixture) introspectsAndRevokes(p *prover, token string) {
	h.t.Helper()
	if got := h.at("/introspect", asserting(p.assert("rp", part{"aud", issuer + "/introspect"}), "token", token)); got.Body["active"] != true {
		h.t.Errorf("introspection = %d %s, want an active token", got.Status, got.Raw)
	}
	if got := h.at("/revoke", asserting(p.assert("rp"), "token", token)); got.Status != http.StatusOK {
		h.t.Errorf("revocation = %d %s, want 200", got.Status, got.Raw)
	}
	if got := h.at("/introspect", asserting(p.assert("rp"), "token", token)); got.Body["active"] != false {
		h.t.Errorf("introspection = %d %s, want an inactive token", got.Status, got.Raw)
	}
}

// refusesAssertions sends assertions to the token endpoint that are no proof, each from another address, so
// that no failure counts for the next.
func (h *fixture) refusesAssertions(texts map[string]string) {
	h.t.Helper()
	callers := 0
	for name, text := range texts {
		callers++
		h.visit.Address = fmt.Sprintf("192.0.2.%d", callers)
		got := h.at("/token", asserting(text, reports...))
		if got.Status != http.StatusUnauthorized || got.get("error") != "invalid_client" {
			h.t.Errorf("%s = %d %s, want 401 invalid_client", name, got.Status, got.Raw)
		}
	}
	h.visit.Address = "198.51.100.1"
}

// oneUsesIt checks the responses to callers who send the same assertion.
func (h *fixture) oneUsesIt(all []reply) {
	h.t.Helper()
	won := 0
	for _, got := range all {
		if got.Status == http.StatusOK {
			won++
		} else if got.Status != http.StatusUnauthorized || got.Refusal.Reason != "used_assertion" {
			h.t.Errorf("%d %s (%s), want 401 used_assertion", got.Status, got.Raw, got.Refusal.Reason)
		}
	}
	if won != 1 {
		h.t.Errorf("%d of %d callers got tokens for one assertion, want 1", won, len(all))
	}
}

// wrongSignaturesWait sends wrong signatures of client rp until it has to wait.
func (h *fixture) wrongSignaturesWait(p *prover) {
	h.t.Helper()
	last := reply{}
	for range 22 {
		last = h.at("/token", asserting(tampered(p.assert("rp")), reports...))
	}
	if last.Status != http.StatusTooManyRequests {
		h.t.Errorf("the 22nd failure = %d %s, want 429", last.Status, last.Raw)
	}
	if got := h.at("/token", asserting(p.assert("rp"), reports...)); got.Status != http.StatusTooManyRequests {
		h.t.Errorf("a right assertion while it waits = %d %s, want 429", got.Status, got.Raw)
	}
}

// Conformance (Client assertions): RFC 7523 2.2: an assertion is accepted wherever a secret is
func TestAssertionsAreAcceptedWhereSecretsAre(t *testing.T) {
	h := newFixture(t)
	p := h.prover()
	h.client("rp", signsWith(p))
	now := h.now().Unix()
	token := ""
	for name, text := range map[string]string{
		"for the issuer":                p.assert("rp"),
		"for the issuer in a list":      p.assert("rp", part{"aud", []string{issuer}}),
		"for the token endpoint":        p.assert("rp", part{"aud", issuer + "/token"}),
		"with its own type":             p.assert("rp", part{"header typ", "client-authentication+jwt"}),
		"without a type":                p.assert("rp", part{"header typ", nil}),
		"of a clock that is behind":     p.assert("rp", part{"iat", now - 90}, part{"exp", now - 30}),
		"of a clock that is ahead":      p.assert("rp", part{"iat", now + 30}, part{"nbf", now + 30}),
		"without a name of the key":     p.assert("rp", part{"header kid", nil}),
		"valid as long as one can be":   p.assert("rp", part{"exp", now + 3600}),
		"for token endpoint and issuer": p.assert("rp", part{"aud", []string{issuer, issuer + "/token"}}),
	} {
		got := h.at("/token", asserting(text, reports...))
		if token = got.get("access_token"); got.Status != http.StatusOK || token == "" {
			t.Errorf("%s = %d %s, want tokens", name, got.Status, got.Raw)
		}
	}
	if got := h.at("/token", asserting(p.assert("rp"), append(reports, "client_id", "rp")...)); got.Status != http.StatusOK {
		t.Errorf("with client_id = %d %s, want tokens", got.Status, got.Raw)
	}
	h.introspectsAndRevokes(p, token)
}

// Conformance (Client assertions): RFC 7523 3: `iss` and `sub` are the client; `aud` is this server, and nobody else; `exp`, `nbf` and `iat` are kept
// Conformance (Client assertions): RFC 7523 3: it is signed with a registered key and an allowed algorithm: no `none`, no HMAC, no key in the header
// Conformance (Client assertions): RFC 8725 3.11: a request object or a proof is no assertion
// Conformance (Client assertions): FAPI 2.0 Security Profile 5.3.2.1: with `profile: fapi2` the issuer is the only audience, as text
func TestHostileAssertions(t *testing.T) {
	h := newFixture(t)
	p, other := h.prover(), h.prover()
	h.client("rp", signsWith(p))
	h.client("other", signsWith(other))
	h.client("secret")
	h.client("strict", signsWith(p), func(c *storage.Client) { c.Profile = "fapi2" })
	h.client("limited", signsWith(p), func(c *storage.Client) { c.AuthSigningAlg = "PS256" })
	now := h.now().Unix()
	public, err := json.Marshal(p.public)
	h.ok(err)
	parts := strings.Split(p.assert("rp"), ".")
	h.refusesAssertions(map[string]string{
		"garbage":                       "x",
		"three parts of garbage":        "a.b.c",
		"no signature":                  "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"the public key as a secret":    (&prover{h, jose.HS256, public, p.public}).assert("rp"),
		"a wrong signature":             tampered(p.assert("rp")),
		"another client's key":          other.assert("rp"),
		"a key in the header":           other.assert("rp", part{"header jwk", other.public}, part{"header kid", nil}),
		"an unknown kid":                p.assert("rp", part{"header kid", "../k"}),
		"a request object":              p.assert("rp", part{"header typ", "oauth-authz-req+jwt"}),
		"a DPoP proof":                  p.assert("rp", part{"header typ", "dpop+jwt"}),
		"no issuer":                     p.assert("rp", part{"iss", nil}),
		"another issuer":                p.assert("rp", part{"iss", "other"}),
		"another subject":               p.assert("rp", part{"sub", "other"}),
		"an unknown client":             p.assert("nobody"),
		"a client with a secret":        p.assert("secret"),
		"no audience":                   p.assert("rp", part{"aud", nil}),
		"another audience":              p.assert("rp", part{"aud", "https://evil.example"}),
		"another audience beside":       p.assert("rp", part{"aud", []string{issuer, "https://evil.example"}}),
		"an audience that begins alike": p.assert("rp", part{"aud", issuer + ".evil.example"}),
		"another endpoint":              p.assert("rp", part{"aud", issuer + "/introspect"}),
		"the endpoint, under fapi2":     p.assert("strict", part{"aud", issuer + "/token"}),
		"a list, under fapi2":           p.assert("strict", part{"aud", []string{issuer}}),
		"an algorithm not registered":   p.assert("limited"),
		"no jti":                        p.assert("rp", part{"jti", nil}),
		"a long jti":                    p.assert("rp", part{"jti", strings.Repeat("x", 257)}),
		"no exp":                        p.assert("rp", part{"exp", nil}),
		"expired":                       p.assert("rp", part{"exp", now - 60}),
		"valid for too long":            p.assert("rp", part{"exp", now + 3720}),
		"valid for ever":                p.assert("rp", part{"exp", 1e300}),
		"issued in the future":          p.assert("rp", part{"iat", now + 3600}),
		"not valid yet":                 p.assert("rp", part{"nbf", now + 3600}),
	})
	good := func() string { return p.assert("rp") }
	for name, got := range map[string]reply{
		"another type":      h.at("/token", formOf(append(reports, "client_assertion_type", "x", "client_assertion", good())...)),
		"no type":           h.at("/token", formOf(append(reports, "client_assertion", good())...)),
		"another client_id": h.at("/token", asserting(good(), append(reports, "client_id", "other")...)),
	} {
		if got.Status != http.StatusUnauthorized || got.get("error") != "invalid_client" {
			t.Errorf("%s = %d %s, want 401 invalid_client", name, got.Status, got.Raw)
		}
	}
	for name, got := range map[string]reply{
		"with a secret": h.at("/token", asserting(good(), append(reports, "client_secret", clientSecret)...)),
		"with a header": h.at("/token", asserting(good(), reports...), "Authorization", basic("rp", clientSecret)),
	} {
		if got.Status != http.StatusBadRequest || got.get("error") != "invalid_request" {
			t.Errorf("%s = %d %s, want 400 invalid_request", name, got.Status, got.Raw)
		}
	}
	if got := h.post(h.p.Grants.Token, "rp", formOf(reports...)); got.get("error") != "invalid_client" {
		t.Errorf("a secret of a client that signs = %d %s, want invalid_client", got.Status, got.Raw)
	}
}

// An assertion is used by one of any number of callers, whichever server they call.
//
// Conformance (Client assertions): RFC 7523 3: a `jti` is accepted once, by all servers together
func TestAnAssertionIsUsedOnce(t *testing.T) {
	run := func(t *testing.T, dsn string) {
		h := newFixtureOn(t, dsn)
		p := h.prover()
		h.client("rp", signsWith(p))
		h.client("two", signsWith(p))
		jti := part{"jti", "the same"}
		text := p.assert("rp", jti)
		h.oneUsesIt(parallel(8, func() reply { return h.at("/token", asserting(text, reports...)) }))
		if got := h.at("/introspect", asserting(text, "token", "x")); got.Status != http.StatusUnauthorized {
			t.Errorf("at another endpoint = %d %s, want 401", got.Status, got.Raw)
		}
		if got := h.at("/token", asserting(p.assert("two", jti), reports...)); got.Status != http.StatusOK {
			t.Errorf("the same jti of another client = %d %s, want tokens", got.Status, got.Raw)
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, "") })
	t.Run("postgres", func(t *testing.T) { run(t, storagetest.Postgres(t)) })
}

// Conformance (Client assertions): RFC 6749 2.3, 10.10: one method in a request, and a limit of failures that costs no signature
func TestWrongAssertionsWait(t *testing.T) {
	h := newFixture(t)
	p := h.prover()
	h.client("rp", signsWith(p))
	for range 30 { // what the client signed itself is no guess
		if got := h.at("/token", asserting(p.assert("rp", part{"aud", "https://other.example"}), reports...)); got.Status != http.StatusUnauthorized || got.get("error") != "invalid_client" {
			t.Fatalf("for another server = %d %s", got.Status, got.Raw)
		}
	}
	if got := h.at("/token", asserting(p.assert("rp"), reports...)); got.Status != http.StatusOK {
		t.Errorf("a right assertion after its own mistakes = %d %s", got.Status, got.Raw)
	}
	h.wrongSignaturesWait(p)
}
