package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/signing"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Edge 14: fosite would take any client, any method, and show every token.
func TestIntrospectionIsForOwnersAndResources(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Audience = []string{"api"} })
	h.client("api")
	h.client("unrelated")
	h.client("post", func(c *storage.Client) { c.AuthMethod = "client_secret_post" })
	h.client("spa", public)
	user := h.user("ada", "")
	made := h.tokensFor("rp", "ada", "openid email offline_access")
	token := made.get("access_token")
	for _, tc := range []struct {
		name, client, form string
		status             int
		code               string
		active             bool
	}{
		{"the client itself", "rp", token, 200, "", true},
		{"the resource it is for", "api", token, 200, "", true},
		{"an unrelated client", "unrelated", token, 200, "", false},
		{"a refresh token shown by a resource", "api", made.get("refresh_token"), 200, "", false},
		{"an ID token", "rp", made.get("id_token"), 200, "", false},
		{"nonsense", "rp", "nonsense", 200, "", false},
		{"a token with one letter changed", "rp", token[:len(token)-5] + "AAAAA", 200, "", false},
		{"no token", "rp", "", 400, "invalid_request", false},
		{"no client", "", token, 401, "invalid_client", false},
		{"an unknown client", "nobody", token, 401, "invalid_client", false},
		{"a client of another method", "post", token, 401, "invalid_client", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := h.post(h.p.Introspection.Introspect, tc.client, formOf("token", tc.form, "token_type_hint", "refresh_token"))
			active, _ := got.Body["active"].(bool)
			if got.Status != tc.status || got.get("error") != tc.code || active != tc.active {
				t.Errorf("introspection = %d %s, want %d %s %v", got.Status, got.Raw, tc.status, tc.code, tc.active)
			}
			if got.Status == 200 && !active && got.Raw != `{"active":false}` {
				t.Errorf("an inactive token returns %s", got.Raw)
			}
		})
	}
	if got := h.post(h.p.Introspection.Introspect, "", formOf("token", token, "client_id", "spa")); got.Status != 401 {
		t.Errorf("a public client = %d %s, want 401", got.Status, got.Raw)
	}
	before := h.engine.Stats()
	got := h.post(h.p.Introspection.Introspect, "rp", formOf("token", token))
	if after := h.engine.Stats(); after.Statements-before.Statements != 1 || after.Commits != before.Commits {
		t.Errorf("%d statements, want one read", after.Statements-before.Statements)
	}
	for name, want := range map[string]any{"sub": string(user.ID), "client_id": "rp", "scope": "openid email offline_access", "iss": issuer,
		"aud": "api", "token_type": "Bearer", "acr": "aal1", "exp": float64(h.now().Unix() + 600), "iat": float64(h.now().Unix()),
		"nbf": float64(h.now().Unix()), "auth_time": float64(h.now().Unix())} {
		if got.Body[name] != want {
			t.Errorf("%s = %v, want %v", name, got.Body[name], want)
		}
	}
	if got.get("jti") == "" || got.get("sid") == "" {
		t.Errorf("jti or sid is missing: %s", got.Raw)
	}
	h.client("rp", func(c *storage.Client) { c.Disabled = true })
	if h.active("api", token) {
		t.Error("a token of a disabled client is active")
	}
	h.client("rp")
	refresh := h.post(h.p.Introspection.Introspect, "rp", formOf("token", made.get("refresh_token")))
	if refresh.Body["exp"] != float64(h.now().Unix()+30*24*3600) || refresh.Body["token_type"] != nil {
		t.Errorf("refresh token = %s, want its own end", refresh.Raw)
	}
	h.wait(600e9)
	if h.active("rp", token) {
		t.Error("the access token is valid after its expiry")
	}
}

// Conformance (JWT access tokens): RFC 9068 4, 5: an ID token is no access token, nor the reverse
func TestOnlyAccessTokensAreReadAsSuch(t *testing.T) {
	h := newFixture(t)
	for typ, want := range map[string]bool{signing.TypeAccessToken: true, signing.TypeIDToken: false} {
		payload, err := json.Marshal(token.Access{Issuer: issuer, ID: "1", Client: "rp", Expires: h.now().Unix() + 1})
		h.ok(err)
		token, err := h.p.keys.Sign("ES256", typ, payload, h.now())
		h.ok(err)
		if _, err := h.p.codec.ReadAccess(token); (err == nil) != want {
			t.Errorf("readAccess of typ %s = %v, want it read: %v", typ, err, want)
		}
		if _, err := h.p.codec.ReadID(token); err == nil {
			t.Errorf("readHint of typ %s read an access token", typ)
		}
	}
}

// Conformance (JWT access tokens): RFC 9068 2.1, 2.2, 2.2.1, 2.2.3, 3: typ, an asymmetric signature, and every claim; `aud` is the resource
// Conformance (Step-up): RFC 9470 4, 5: `acr_values` gives tokens with `acr`, in JWTs and in introspection
func TestAccessTokensSayHowTheirUserSignedIn(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Audience = []string{"https://api.example", issuer} })
	h.client("machine")
	h.user("ada", totpSecret)
	b := h.begin(params("rp", "scope", "openid read", "acr_values", "urn:example:gold", "resource", "https://api.example"), nil)
	h.enter(b.Request, "ada", nil)
	h.clock.Advance(time.Minute)
	h.prove(b.Request, nil)
	signedIn := h.now().Unix()
	_, answer := h.finish(b.Request, nil)
	h.clock.Advance(20 * time.Second)
	tokens := h.post(h.p.Grants.Token, "rp", redeem(answer.Get("code")))
	identity, idHeader := h.readJWT(tokens.get("id_token"))
	claims, header := h.readJWT(tokens.get("access_token"))
	if header.ExtraHeaders["typ"] != "at+jwt" || header.Algorithm != "ES256" || idHeader.ExtraHeaders["typ"] == "at+jwt" {
		t.Errorf("headers = %+v and %+v", header, idHeader)
	}
	for name, want := range map[string]any{"iss": issuer, "aud": "https://api.example", "sub": identity["sub"], "client_id": "rp", "scope": "openid read", "acr": "urn:example:gold",
		"iat": float64(h.now().Unix()), "exp": float64(h.now().Unix() + 600), "auth_time": float64(signedIn)} {
		if claims[name] != want || want == nil {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
	if amr := fmt.Sprint(claims["amr"]); amr != "[mfa otp pwd]" || claims["jti"] == nil || claims["jti"] == identity["jti"] {
		t.Errorf("amr = %s, jti = %v", amr, claims["jti"])
	}
	seen := h.post(h.p.Introspection.Introspect, "rp", formOf("token", tokens.get("access_token")))
	if seen.Body["active"] != true || seen.Body["acr"] != claims["acr"] || seen.Body["auth_time"] != claims["auth_time"] || fmt.Sprint(seen.Body["amr"]) != "[mfa otp pwd]" {
		t.Errorf("introspection = %s", seen.Raw)
	}
	next := h.post(h.p.Grants.Token, "rp", refreshOf(tokens.get("refresh_token")))
	again, _ := h.readJWT(next.get("access_token"))
	if again["auth_time"] != claims["auth_time"] || again["acr"] != claims["acr"] || again["jti"] == claims["jti"] {
		t.Errorf("refreshed = %v", again)
	}
	alone, _ := h.readJWT(h.post(h.p.Grants.Token, "machine", formOf("grant_type", "client_credentials", "scope", "read")).get("access_token"))
	if alone["sub"] != "machine" || alone["client_id"] != "machine" || alone["acr"] != nil || alone["auth_time"] != nil {
		t.Errorf("of a machine = %v", alone)
	}
	if r := h.userinfo(tokens.get("id_token")); r.Status != 401 {
		t.Errorf("userinfo takes an ID token: %d %s", r.Status, r.Raw)
	}
	if _, got := h.refusedWith(params("rp", "id_token_hint", tokens.get("access_token"))); got != "invalid_request" {
		t.Errorf("an access token as a hint = %q, want a refusal", got)
	}
}

// Conformance (Step-up): RFC 9470 5: `max_age` is kept: an older sign-in is not enough
func TestMaxAgeGivesAFreshToken(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	s := h.signedIn("ada")
	h.clock.Advance(10 * time.Minute)
	b := h.begin(params("rp", "max_age", "300"), s)
	if b.Finished != nil || b.Step.Kind != StepIdentify {
		t.Fatalf("an old session = %+v", b.Step.Kind)
	}
	h.enter(b.Request, "ada", s)
	_, answer := h.finish(b.Request, s)
	claims, _ := h.readJWT(h.post(h.p.Grants.Token, "rp", redeem(answer.Get("code"))).get("access_token"))
	if claims["auth_time"] != float64(h.now().Unix()) {
		t.Errorf("auth_time = %v, want now", claims["auth_time"])
	}
}

func TestRevocation(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("other")
	h.client("spa", public)
	h.user("ada", "")
	for _, tc := range []struct {
		name  string
		which string
	}{{"with the access token the grant goes", "access_token"}, {"with the refresh token the grant goes", "refresh_token"}} {
		t.Run(tc.name, func(t *testing.T) {
			made := h.tokensFor("rp", "ada", "openid offline_access")
			if got := h.post(h.p.Introspection.Revoke, "other", formOf("token", made.get(tc.which))); got.Status != 200 || !h.active("rp", made.get("access_token")) {
				t.Errorf("another client = %d, want 200 and no effect", got.Status)
			}
			for range 2 {
				if got := h.post(h.p.Introspection.Revoke, "rp", formOf("token", made.get(tc.which), "token_type_hint", "nonsense")); got.Status != 200 || got.Raw != "" {
					t.Errorf("revocation = %d %s, want an empty 200", got.Status, got.Raw)
				}
			}
			if h.active("rp", made.get("access_token")) || h.active("rp", made.get("refresh_token")) ||
				h.post(h.p.Grants.Token, "rp", refreshOf(made.get("refresh_token"))).get("error") != "invalid_grant" {
				t.Error("a token of the grant is still valid")
			}
		})
	}
	for _, tc := range []struct {
		name, client, token string
		status              int
	}{
		{"an unknown token", "rp", "nonsense", 200},
		{"a made-up refresh token", "rp", "sp_rt_" + strings.Repeat("a", 64), 200},
		{"no token", "rp", "", 400},
		{"no client", "", "x", 401},
		{"an unknown client", "nobody", "x", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := h.post(h.p.Introspection.Revoke, tc.client, formOf("token", tc.token)); got.Status != tc.status {
				t.Errorf("revocation = %d %s, want %d", got.Status, got.Raw, tc.status)
			}
		})
	}
	code, _ := h.signIn(params("spa", "scope", "openid offline_access"), "ada")
	token := h.post(h.p.Grants.Token, "", redeem(code, "client_id", "spa")).get("refresh_token")
	if got := h.post(h.p.Introspection.Revoke, "", formOf("token", token, "client_id", "spa")); got.Status != 200 {
		t.Errorf("a public client = %d %s, want 200", got.Status, got.Raw)
	}
	if got := h.post(h.p.Grants.Token, "", refreshOf(token, "client_id", "spa")); got.get("error") != "invalid_grant" {
		t.Error("the public client's token is still valid")
	}
	if n := h.events(mfa.EventTokenRevoked); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

// Conformance (OpenID Connect): Core 5.3, RFC 6750 2: modules oidcc-userinfo-get, oidcc-userinfo-post-header, oidcc-userinfo-post-body: the access token is in the header or a form
func TestUserinfo(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("opaque", func(c *storage.Client) { c.AccessTokenFormat = "opaque" })
	user := h.user("ada", "")
	made := h.tokensFor("rp", "ada", "openid profile")
	plain := h.tokensFor("rp", "ada", "read")
	token := made.get("access_token")
	for _, tc := range []struct {
		name, method, target, header, body string
		status                             int
		challenge                          string
	}{
		{"header", "GET", "/userinfo", "Bearer " + token, "", 200, ""},
		{"header of a post", "POST", "/userinfo", "Bearer " + token, "", 200, ""},
		{"body of a post", "POST", "/userinfo", "", "access_token=" + token, 200, ""},
		{"opaque", "GET", "/userinfo", "Bearer " + h.tokensFor("opaque", "ada", "openid profile").get("access_token"), "", 200, ""},
		{"never in the address", "GET", "/userinfo?access_token=" + token, "", "", 401, `Bearer realm="` + issuer + `"`},
		{"no token, no error code", "GET", "/userinfo", "", "", 401, `Bearer realm="` + issuer + `"`},
		{"twice", "POST", "/userinfo", "Bearer " + token, "access_token=" + token, 400, `error="invalid_request"`},
		{"nonsense", "GET", "/userinfo", "Bearer nonsense", "", 401, `error="invalid_token"`},
		{"an ID token", "GET", "/userinfo", "Bearer " + made.get("id_token"), "", 401, `error="invalid_token"`},
		{"a refresh token", "GET", "/userinfo", "Bearer " + made.get("refresh_token"), "", 401, `error="invalid_token"`},
		{"without openid", "GET", "/userinfo", "Bearer " + plain.get("access_token"), "", 403, `error="insufficient_scope"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, tc.target, strings.NewReader(tc.body))
			if tc.header != "" {
				r.Header.Set("Authorization", tc.header)
			}
			if tc.body != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			got := h.call(h.p.Introspection.Userinfo, r)
			challenge := got.Header.Get("WWW-Authenticate")
			if got.Status != tc.status || !strings.Contains(challenge, tc.challenge) || (tc.challenge == "") != (challenge == "") {
				t.Errorf("userinfo = %d %q %s, want %d %s", got.Status, challenge, got.Raw, tc.status, tc.challenge)
			}
			if tc.status == 200 && (got.get("sub") != string(user.ID) || got.get("name") != "Ada Lovelace" || got.Body["email"] != nil) {
				t.Errorf("claims = %s", got.Raw)
			}
			if tc.status == 401 && tc.header == "" && strings.Contains(challenge, "error") {
				t.Errorf("challenge = %q, want no error code", challenge)
			}
			if got.Header.Get("Cache-Control") != "no-store" {
				t.Error("the response may be cached")
			}
		})
	}
	before := h.engine.Stats()
	h.userinfo(token)
	if after := h.engine.Stats(); after.Statements-before.Statements != 1 {
		t.Errorf("%d statements, want 1", after.Statements-before.Statements)
	}
	h.client("rp", func(c *storage.Client) { c.Disabled = true })
	if got := h.userinfo(token); got.Status != http.StatusUnauthorized {
		t.Errorf("userinfo for a disabled client = %d, want 401", got.Status)
	}
}
