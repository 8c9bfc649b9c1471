package server_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/storage"
)

// signed sends a request that is authenticated by an assertion, and returns its error: the token in it is none.
func (g registry) signed(id, secret string, alg jose.SignatureAlgorithm) any {
	g.t.Helper()
	_, d, _ := g.send("GET", "/.well-known/openid-configuration", "", "")
	now := g.clock.Now().Unix()
	claims, err := json.Marshal(map[string]any{"iss": id, "sub": id, "aud": d["issuer"], "jti": rand.Text(), "iat": now, "exp": now + 60})
	if err != nil {
		g.t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: []byte(secret)}, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	jws, err := s.Sign(claims)
	if err != nil {
		g.t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		g.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/token", strings.NewReader(url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {"https://rp.example/cb"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {text}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = g.address
	w := httptest.NewRecorder()
	g.Handler.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		g.t.Fatal(err)
	}
	return out["error"]
}

// Conformance (Registration): RFC 7591 2, 3.2.1: a client registers client_secret_jwt, gets its secret once, and another one when it begins to sign
func TestARegisteredClientSignsWithItsSecret(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		g := newRegistry(t, settings, open+"limits: {registrations: 0}\n")
		const authenticated, failed = "invalid_grant", "invalid_client"
		is := func(what string, got, want any) {
			t.Helper()
			if got != want {
				t.Errorf("%s = %v, want %v", what, got, want)
			}
		}
		metadata := func(id, more string) string {
			return fmt.Sprintf(`{%s"redirect_uris":["https://rp.example/cb"],"token_endpoint_auth_method":"client_secret_%s}`, id, more)
		}
		id, token, out := g.registered(metadata("", `jwt","token_endpoint_auth_signing_alg":"HS512"`))
		first, _ := out["client_secret"].(string)
		is("the size of the secret", len(first), 64)
		is("HS512", g.signed(id, first, jose.HS512), authenticated)
		is("HS256, which is not registered", g.signed(id, first, jose.HS256), failed)
		_, refusal := g.tokens(id, first, "x")
		is("the secret in a header", refusal["error"], failed)

		at := "/register/" + id
		_, read, _ := g.send("GET", at, token, "")
		is("the secret in a GET", read["client_secret"], nil)
		is("client_secret_expires_at", read["client_secret_expires_at"], 0.0)
		put := func(more string) map[string]any {
			t.Helper()
			code, out, _ := g.send("PUT", at, token, metadata(`"client_id":"`+id+`",`, more))
			is("PUT", code, 200)
			token, _ = out["registration_access_token"].(string)
			return out
		}
		is("a secret for another algorithm", put(`jwt"`)["client_secret"], nil)
		is("HS256, by now", g.signed(id, first, jose.HS256), authenticated)
		is("a secret for another method", put(`basic"`)["client_secret"], nil)
		_, refusal = g.tokens(id, first, "x")
		is("the secret in a header, by now", refusal["error"], authenticated)
		is("an assertion, by now", g.signed(id, first, jose.HS256), failed)
		stored, err := g.Store.Client(t.Context(), storage.ClientID(id))
		is("what the server keeps", fmt.Sprint(len(stored.Secrets), err), "0 <nil>")
		second, _ := put(`jwt"`)["client_secret"].(string)
		is("the size of the next secret", len(second), 64)
		is("the next secret", g.signed(id, second, jose.HS256), authenticated)
		is("the first secret", g.signed(id, first, jose.HS256), failed)
		g.refused("RS256", 400, "invalid_client_metadata")(g.send("PUT", at, token, metadata(`"client_id":"`+id+`",`, `jwt","token_endpoint_auth_signing_alg":"RS256"`)))
	})
}
