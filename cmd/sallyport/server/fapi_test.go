package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// mustRefuse checks that what a client sent, a module by its name, is refused with one of these errors.
func (r reply) mustRefuse(t *testing.T, name string, codes ...string) {
	t.Helper()
	if (r.code != http.StatusBadRequest && r.code != http.StatusUnauthorized) || !slices.Contains(codes, r.get("error")) {
		t.Errorf("%s = %d %s, want 400 or 401 with %v", name, r.code, r.raw, codes)
	}
}

// Conformance (FAPI 2.0): Security Profile 5.3.2.1: module discovery-end-point-verification: the metadata says what the profile demands
func TestFAPIDiscovery(t *testing.T) {
	b, _, _ := newBank(t, true)
	var m map[string]any
	if err := json.Unmarshal(b.Provider.Discovery().Body, &m); err != nil {
		t.Fatal(err)
	}
	has := func(name string, values ...string) {
		t.Helper()
		list, _ := m[name].([]any)
		for _, v := range values {
			if !slices.Contains(list, any(v)) {
				t.Errorf("%s = %v, want %s in it", name, m[name], v)
			}
		}
	}
	has("response_types_supported", "code")
	has("response_modes_supported", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt")
	has("code_challenge_methods_supported", "S256")
	has("token_endpoint_auth_methods_supported", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
	has("scopes_supported", "openid")
	has("subject_types_supported", "public")
	for _, name := range []string{"token_endpoint_auth_signing_alg_values_supported", "id_token_signing_alg_values_supported", "dpop_signing_alg_values_supported",
		"request_object_signing_alg_values_supported", "authorization_signing_alg_values_supported", "introspection_signing_alg_values_supported"} {
		has(name, "ES256")
		// Other clients may authenticate with their secret; nothing else is signed with one.
		if list, _ := m[name].([]any); slices.Contains(list, any("none")) || name != "token_endpoint_auth_signing_alg_values_supported" && slices.Contains(list, any("HS256")) {
			t.Errorf("%s = %v", name, list)
		}
	}
	aliases, _ := m["mtls_endpoint_aliases"].(map[string]any)
	for _, x := range []struct {
		at        http.Handler
		addresses map[string]any
	}{{b.Handler, m}, {b.ForCertificates(), aliases}} {
		for name, value := range x.addresses {
			text, _ := value.(string)
			u, err := url.Parse(text)
			if name == "issuer" || text == "" || err != nil {
				continue
			}
			w := httptest.NewRecorder()
			if x.at.ServeHTTP(w, httptest.NewRequest(http.MethodGet, u.Path, nil)); w.Code == http.StatusNotFound {
				t.Errorf("%s leads nowhere: %s", name, text)
			}
		}
	}
	if m["authorization_response_iss_parameter_supported"] != true || m["tls_client_certificate_bound_access_tokens"] != true || m["pushed_authorization_request_endpoint"] != b.issuer+"/par" ||
		m["require_pushed_authorization_requests"] != false || aliases["token_endpoint"] != mutualURL+"/token" {
		t.Errorf("metadata = %v", m)
	}
}

// Conformance (FAPI 2.0): Security Profile 5.3.2.2: modules happy-flow, user-rejects-authentication, ensure-authorization-request-without-state-success, ensure-authorization-request-without-nonce-success, ensure-authorization-request-with-64-char-nonce-success, ensure-authorization-request-with-long-nonce, ensure-authorization-request-with-long-state, ensure-other-scope-order-succeeds, test-claims-parameter-identity-claims, par-without-duplicate-parameters: a code, or an error, with `state` as it was sent, and `iss`
// Conformance (FAPI 2.0): Security Profile 5.3.2.2: modules ensure-different-nonce-inside-and-outside-request-object, ensure-different-state-inside-and-outside-request-object, state-only-outside-request-object-not-used: parameters outside of the pushed request do not count
func TestFAPIFlows(t *testing.T) {
	both(t, func(b *bank, one, _ *fapiClient) {
		for name, tc := range map[string]struct {
			push    set
			outside string
			state   string
		}{
			"happy-flow":                            {nil, "", "the-state"},
			"without-state":                         {set{"state": nil}, "", ""},
			"without-nonce":                         {set{"nonce": nil}, "", "the-state"},
			"64-char-nonce":                         {set{"nonce": strings.Repeat("n", 64)}, "", "the-state"},
			"long-nonce":                            {set{"nonce": strings.Repeat("n", 384)}, "", "the-state"},
			"long-state":                            {set{"state": strings.Repeat("s", 1000)}, "", strings.Repeat("s", 1000)},
			"other-scope-order":                     {set{"scope": "offline_access email openid"}, "", "the-state"},
			"different-state-inside-and-outside":    {nil, "&state=outside", "the-state"},
			"different-nonce-inside-and-outside":    {nil, "&nonce=outside", "the-state"},
			"state-only-outside":                    {set{"state": nil}, "&state=outside", ""},
			"a redirect URI outside":                {nil, "&redirect_uri=https://evil.example/cb", "the-state"},
			"test-claims-parameter-identity-claims": {set{"claims": `{"id_token":{"email":null}}`}, "", "the-state"},
		} {
			at := b.browser()
			one.open(at, one.pushed(tc.push), tc.outside)
			q := one.sent(at)
			if q.Get("code") == "" || q.Get("state") != tc.state || q.Has("state") != (tc.state != "") || q.Get("iss") != b.issuer {
				b.t.Errorf("%s: response = %v", name, q)
			}
			made := one.redeem(q.Get("code"), nil)
			want := "DPoP"
			if b.mutual {
				want = "Bearer"
			}
			if made.code != 200 || made.get("token_type") != want || made.get("refresh_token") == "" {
				b.t.Fatalf("%s: tokens = %d %s", name, made.code, made.raw)
			}
			header, claims := claimsOf(b.t, made.get("id_token"))
			nonce := "the-nonce"
			if sent, changed := tc.push["nonce"]; changed {
				nonce, _ = sent.(string)
			}
			if got, _ := claims["nonce"].(string); header["alg"] != "ES256" || header["kid"] == "" || got != nonce || claims["iss"] != b.issuer {
				b.t.Errorf("%s: ID token = %v %v", name, header, claims)
			}
			if got := one.resource(made.get("access_token"), nil); got.code != 200 || got.get("email") != "ada@example.com" {
				b.t.Errorf("%s: resource = %d %s", name, got.code, got.raw)
			}
		}
		at := b.browser()
		one.open(at, one.pushed(set{"prompt": "consent"}), "")
		at.Submit("login-submit", "username", "ada", "password", "a lighthouse at dusk")
		at.Press("consent-deny")
		if q := one.arrived(at); q.Get("error") != "access_denied" || q.Get("state") != "the-state" || q.Get("iss") != b.issuer {
			b.t.Errorf("user-rejects-authentication: %v", q)
		}
	})
}

// Conformance (FAPI 2.0): Security Profile 5.3.2.2: modules ensure-request-object-without-redirect-uri-fails, ensure-redirect-uri-in-authorization-request, ensure-registered-redirect-uri, plain-fapi-ensure-registered-redirect-uri, ensure-response-type-code-idtoken-fails, ensure-response-type-token-fails, par-ensure-pkce-required, par-plain-pkce-rejected, par-authorization-request-containing-request_uri-form-param, par-attempt-invalid-http-method: refused where it is pushed
// Conformance (FAPI 2.0): Security Profile 5.3.2.2: modules ensure-unsigned-authorization-request-without-using-par-fails, par-attempt-reuse-request_uri, par-attempt-to-use-expired-request_uri, par-attempt-to-use-request_uri-for-different-client, par-ensure-reused-request-uri-prior-to-auth-completion-succeeds: not pushed, or with a `request_uri` that was used, is too old or another client's: refused; a first visit does not use it up
func TestFAPIRequestsThatAreRefused(t *testing.T) {
	both(t, func(b *bank, one, two *fapiClient) {
		for _, tc := range []struct {
			name   string
			change set
			want   string
		}{
			{"without-redirect-uri", set{"redirect_uri": nil}, "invalid_request"},
			{"unregistered-redirect-uri", set{"redirect_uri": "https://evil.example/cb"}, "invalid_request"},
			{"the redirect URI with a query", set{"redirect_uri": one.redirect + "?dummy1=lorem"}, "invalid_request"},
			{"response-type-code-idtoken", set{"response_type": "code id_token"}, "unsupported_response_type"},
			{"response-type-token", set{"response_type": "token"}, "unsupported_response_type"},
			{"ensure-pkce-required", set{"code_challenge": nil, "code_challenge_method": nil}, "invalid_request"},
			{"ensure-pkce-code-challenge-method-plain", set{"code_challenge_method": "plain"}, "invalid_request"},
			{"a challenge without a method", set{"code_challenge_method": nil}, "invalid_request"},
			{"request_uri inside", set{"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"},
			{"alg none", set{"request": "eyJhbGciOiJub25lIn0.eyJpc3MiOiJvbmUifQ."}, "invalid_request_object"},
		} {
			one.push(tc.change).mustRefuse(b.t, tc.name, tc.want)
		}
		put := httptest.NewRequest(http.MethodPut, "/par", strings.NewReader("response_type=code"))
		put.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if got := one.send(put, true); got.code < 400 || got.code >= 500 {
			b.t.Errorf("PUT = %d %s", got.code, got.raw)
		}
		at := b.browser()
		at.Get("/authorize?response_type=code&client_id=one&redirect_uri=" + one.redirect + "&scope=openid&state=x&code_challenge=" + strings.Repeat("c", 43) + "&code_challenge_method=S256")
		if q := one.arrived(at); q.Get("error") != "invalid_request" || q.Get("iss") != b.issuer || q.Get("state") != "x" {
			b.t.Errorf("not pushed = %v", q)
		}
		page := func(name, uri string, c *fapiClient) {
			b.t.Helper()
			at := b.browser()
			c.open(at, uri, "")
			if at.Left != "" || at.Page.Code != 400 || !strings.Contains(at.Page.Body.String(), "invalid_request_uri") {
				b.t.Errorf("%s: %d, left to %q", name, at.Page.Code, at.Left)
			}
		}
		uri := one.pushed(nil)
		page("another client's", uri, two)
		one.open(b.browser(), uri, "") // seen, and left
		b.wait(2 * time.Second)
		at = b.browser()
		one.open(at, uri, "")
		if q := one.sent(at); q.Get("code") == "" {
			b.t.Errorf("seen twice = %v", q)
		}
		page("used again", uri, one)
		old := one.pushed(nil)
		b.wait(61 * time.Second)
		page("expired", old, one)
	})
}

// Conformance (FAPI 2.0): Security Profile 5.3.2.2: modules ensure-authorization-code-is-bound-to-client, ensure-client-id-in-token-endpoint, ensure-holder-of-key-required, ensure-pkce-code-verifier-required, incorrect-pkce-code-verifier-rejected: refused
// Conformance (FAPI 2.0): Security Profile 5.3.2.1, 5.3.2.2: modules attempt-reuse-authorization-code-after-one-second, ensure-token-endpoint-fails-with-expired-auth-code: `invalid_grant`; reuse ends the tokens
func TestFAPICodes(t *testing.T) {
	both(t, func(b *bank, one, two *fapiClient) {
		code := one.code(nil)
		two.redeem(code, set{"redirect_uri": one.redirect}).mustRefuse(b.t, "a code of another client", "invalid_grant")
		one.redeem(code, set{"client_id": "two"}).mustRefuse(b.t, "client_id of another client", "invalid_client")
		one.redeem(code, set{"code_verifier": nil}).mustRefuse(b.t, "no verifier", "invalid_grant", "invalid_request")
		one.redeem(code, set{"code_verifier": strings.Repeat("w", 43)}).mustRefuse(b.t, "wrong verifier", "invalid_grant")
		one.redeem(code, set{"proof": nil, "certificate": nil}).mustRefuse(b.t, "holder-of-key missing", "invalid_dpop_proof", "invalid_client")
		one.redeem(code, set{"redirect_uri": one.redirect + "?x"}).mustRefuse(b.t, "another redirect_uri", "invalid_grant")
		made := one.redeem(code, nil) // nothing of that used it up
		if made.code != 200 {
			b.t.Fatalf("tokens = %d %s", made.code, made.raw)
		}
		b.wait(time.Second)
		one.redeem(code, nil).mustRefuse(b.t, "reuse after a second", "invalid_grant")
		one.resource(made.get("access_token"), nil).mustRefuse(b.t, "the access token after that", "invalid_token")
		one.post("/token", set{"grant_type": "refresh_token", "refresh_token": made.get("refresh_token")}).mustRefuse(b.t, "the refresh token after that", "invalid_grant")
		late := one.code(nil)
		b.wait(60 * time.Second)
		one.redeem(late, nil).mustRefuse(b.t, "after 60 s", "invalid_grant")
	})
}

// Conformance (FAPI 2.0): Security Profile 5.3.2.1: module refresh-token: bound to the client, and the same after each use; a new key, or a renewed certificate, is fine
func TestFAPIRefresh(t *testing.T) {
	both(t, func(b *bank, one, two *fapiClient) {
		made := one.redeem(one.code(nil), nil)
		token := made.get("refresh_token")
		two.post("/token", set{"grant_type": "refresh_token", "refresh_token": token}).mustRefuse(b.t, "another client", "invalid_grant")
		one.post("/token", set{"grant_type": "refresh_token", "refresh_token": token, "proof": nil, "certificate": nil}).mustRefuse(b.t, "holder-of-key missing", "invalid_dpop_proof", "invalid_client")
		one.proves = newECKey(b.t)
		for i := range 3 {
			b.wait(time.Second)
			next := one.post("/token", set{"grant_type": "refresh_token", "refresh_token": token})
			if next.code != 200 || next.get("refresh_token") != token {
				b.t.Fatalf("refresh %d = %d %s", i, next.code, next.raw)
			}
			if got := one.resource(next.get("access_token"), nil); got.code != 200 {
				b.t.Errorf("resource = %d %s", got.code, got.raw)
			}
		}
		if got := one.resource(made.get("access_token"), nil); b.mutual != (got.code == 200) {
			b.t.Errorf("the first access token with the new key = %d %s", got.code, got.raw)
		}
	})
}

// Conformance (FAPI 2.0): Security Profile 5.3.2.1, 5.4.1: modules ensure-signed-client-assertion-with-RS256-fails, ensure-client-assertion-in-token-endpoint, ensure-client-assertion-with-exp-is-5-minutes-in-past-fails, ensure-client-assertion-with-wrong-aud-fails, ensure-client-assertion-with-no-sub-fails, ensure-invalid-client-assertions-fail, par-test-array-as-audience-fails, par-test-par-endpoint-url-as-audience-fails, par-test-token-endpoint-url-as-audience-fails, par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails, par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted: an assertion that is absent, of another type, algorithm, key, issuer, subject, audience or time is refused; `nbf` 8 s ahead: accepted
func TestFAPIAssertions(t *testing.T) {
	b, one, two := newBank(t, false)
	now := one.now()
	for _, path := range []string{"/par", "/token"} {
		send := func(assertion any) reply {
			if path == "/par" {
				return one.push(set{"client_assertion": assertion})
			}
			return one.post(path, set{"grant_type": "client_credentials", "scope": "reports", "client_assertion": assertion})
		}
		for name, changes := range map[string]set{
			"signature-algorithm-is-RS256": {"header alg": "RS256", "header kid": "rsa"},
			"alg none":                     {"header alg": "none"},
			"expired":                      {"exp": now - 300, "iat": now - 360},
			"wrong-aud":                    {"aud": "https://other.example"},
			"no-sub":                       {"sub": nil},
			"another-sub":                  {"sub": "two"},
			"no-iss":                       {"iss": nil},
			"another-iss":                  {"iss": "two"},
			"no-aud":                       {"aud": nil},
			"aud-is-an-array":              {"aud": []string{b.issuer}},
			"aud-is-par-endpoint":          {"aud": b.issuer + "/par"},
			"aud-is-token-endpoint":        {"aud": b.issuer + "/token"},
			"more-than-60-s-ahead":         {"nbf": now + 75, "iat": now + 75, "exp": now + 120},
			"signed by another client":     nil,
		} {
			signer := *one
			if changes == nil {
				signer.key = two.key
			}
			send(signer.assertion(changes)).mustRefuse(t, path+" "+name, "invalid_client")
			b.wait(time.Second)
		}
		send(nil).mustRefuse(t, path+" absent", "invalid_client", "invalid_request")
		for name, typ := range map[string]any{"no-type": nil, "another-type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"} {
			form := set{"grant_type": "client_credentials", "scope": "reports", "client_assertion": one.assertion(nil), "client_assertion_type": typ}
			one.post(path, form).mustRefuse(t, path+" "+name, "invalid_client", "invalid_request")
		}
		send(one.assertion(nil)[:100]+strings.Repeat("A", 86)).mustRefuse(t, path+" invalid signature", "invalid_client")
		good := one.assertion(set{"nbf": one.now() + 8, "iat": one.now() + 8})
		if got := send(good); got.code >= 300 {
			t.Errorf("%s nbf 8 s ahead = %d %s", path, got.code, got.raw)
		}
		send(good).mustRefuse(t, path+" used again", "invalid_client")
		now = one.now()
	}
	if got := one.push(set{"client_assertion": one.assertion(set{"header alg": "PS256", "header kid": "rsa"})}); got.code != 201 {
		t.Errorf("PS256 = %d %s", got.code, got.raw)
	}
}

// Conformance (FAPI 2.0): Security Profile 5.3.2.1, RFC 9449 10: modules ensure-mismatched-dpop-jkt-fails, ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt, ensure-token-endpoint-fails-with-mismatched-dpop-jkt, ensure-dpopproof-at-par-endpoint-binding-success, ensure-dpop-auth-code-binding-success: the code is bound to the key of the pushed request
// Conformance (FAPI 2.0): RFC 9449 4.3: modules check-dpop-proof-nbf-exp, ensure-dpopproof-with-iat-10seconds-before-succeeds, ensure-dpopproof-with-iat-10seconds-after-succeeds: accepted at all endpoints
func TestFAPIProofs(t *testing.T) {
	b, one, _ := newBank(t, false)
	other, good := newECKey(t), thumbprint(t, one.proves)
	one.push(set{"dpop_jkt": thumbprint(t, other)}).mustRefuse(t, "dpop_jkt is not the key of the proof", "invalid_request", "invalid_dpop_proof")
	for name, push := range map[string]set{"by proof": nil, "by dpop_jkt": {"proof": nil, "dpop_jkt": good}, "by both": {"dpop_jkt": good}} {
		code := one.code(push)
		thief := *one
		thief.proves = other
		thief.redeem(code, nil).mustRefuse(t, name+": another key at the token endpoint", "invalid_grant", "invalid_dpop_proof")
		if got := one.redeem(code, nil); got.code != 200 {
			t.Errorf("%s: %d %s", name, got.code, got.raw)
		}
	}
	for name, changes := range map[string]set{"10 s behind": {"iat": one.now() - 10}, "10 s ahead": {"iat": one.now() + 10}, "nbf and exp": {"nbf": one.now() - 5, "exp": one.now() + 60},
		"htu with query": {"htu": b.issuer + "/par?x#y"}} {
		at := func(method, path, token string) string {
			c := set{}
			for k, v := range changes {
				if text, ok := v.(string); ok {
					v = strings.Replace(text, "/par", path, 1)
				}
				c[k] = v
			}
			return one.proof(one.proves, method, path, token, c)
		}
		uri := one.push(set{"proof": at("POST", "/par", "")})
		if uri.code != 201 {
			t.Fatalf("%s at PAR = %d %s", name, uri.code, uri.raw)
		}
		browser := b.browser()
		one.open(browser, uri.get("request_uri"), "")
		made := one.redeem(one.sent(browser).Get("code"), set{"proof": at("POST", "/token", "")})
		if made.code != 200 {
			t.Fatalf("%s at the token endpoint = %d %s", name, made.code, made.raw)
		}
		token := made.get("access_token")
		if got := one.resource(token, set{"proof": at("GET", "/userinfo", token)}); got.code != 200 {
			t.Errorf("%s at the resource = %d %s", name, got.code, got.raw)
		}
	}
}
