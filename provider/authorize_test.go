package provider

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/session"
	"sallyport/provider/oauth"
	"sallyport/storage"
)

// beginCase is an authorization request and its result: "" is an open request,
// "page:code:parameter" a page, anything else the error for the client.
type beginCase struct {
	name string
	in   url.Values
	want string
}

// shownAsPages are requests whose refusal must not be redirected.
func shownAsPages() []beginCase {
	return []beginCase{
		{"no client", params("rp", "client_id", ""), "page:invalid_request:client_id"},
		{"unknown client", params("nobody"), "page:invalid_client:client_id"},
		{"client name no client can have", params("a\"b"), "page:invalid_client:client_id"},
		{"disabled client", params("off"), "page:invalid_client:client_id"},
		{"no redirect address", params("rp", "redirect_uri", ""), "page:invalid_request:redirect_uri"},
		{"unregistered redirect address", params("rp", "redirect_uri", "https://evil.example/cb"), "page:invalid_request:redirect_uri"},
		{"bad address and bad everything else", params("rp", "redirect_uri", "https://evil.example/cb", "prompt", "x", "scope", "y"), "page:invalid_request:redirect_uri"},
		{"a parameter twice", func() url.Values { v := params("rp"); v.Add("scope", "email"); return v }(), "page:invalid_request:scope"},
		{"state too long", params("rp", "state", strings.Repeat("s", maxState+1)), "page:invalid_request:state"},
		{"state too long in a request with other faults", params("rp", "state", strings.Repeat("s", maxState+1), "prompt", "maybe"), "page:invalid_request:state"},
		{"a pushed request that is not there", params("rp", "request_uri", "urn:ietf:params:oauth:request_uri:x"), "page:invalid_request_uri:request_uri"},
		{"redirect address twice", func() url.Values { v := params("rp"); v.Add("redirect_uri", callback); return v }(), "page:invalid_request:redirect_uri"},
	}
}

// clientErrors are requests that are refused with an error for the client.
func clientErrors() []beginCase {
	return []beginCase{
		{"no response type", params("rp", "response_type", ""), "unsupported_response_type"},
		{"implicit", params("rp", "response_type", "token"), "unsupported_response_type"},
		{"hybrid", params("rp", "response_type", "code id_token"), "unsupported_response_type"},
		{"a client without the code flow", params("tokens"), "unsupported_response_type"},
		{"a client without the code grant", params("machine"), "unauthorized_client"},
		{"unknown response mode", params("rp", "response_mode", "web_message"), "invalid_request"},
		{"unknown scope", params("rp", "scope", "openid nonsense"), "invalid_scope"},
		{"scope as prefix of a registered one", params("rp", "scope", "openid rea"), "invalid_scope"},
		{"scope below a registered one", params("rp", "scope", "openid read.more"), "invalid_scope"},
		{"request object", params("rp", "request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"},
		{"request object without openid", params("rp", "scope", "read", "request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"},
		{"request by address", params("rp", "request_uri", "https://rp.example/r"), "request_uri_not_supported"},
		{"registration", params("rp", "registration", "{}"), "registration_not_supported"},
		{"a fault beside the longest state", params("rp", "state", strings.Repeat("s", maxState), "prompt", "maybe"), "invalid_request"},
		{"too many scopes", params("rp", "scope", strings.Repeat("openid ", 600)), "invalid_request"},
		{"nonce too long", params("rp", "nonce", strings.Repeat("n", maxNonce+1)), "invalid_request"},
		{"unknown prompt", params("rp", "prompt", "maybe"), "invalid_request"},
		{"prompt in capitals", params("rp", "prompt", "LOGIN"), "invalid_request"},
		{"none beside another prompt", params("rp", "prompt", "none login"), "invalid_request"},
		{"max_age is not a number", params("rp", "max_age", "soon"), "invalid_request"},
		{"max_age below zero", params("rp", "max_age", "-1"), "invalid_request"},
		{"max_age with a fraction", params("rp", "max_age", "1.5"), "invalid_request"},
		{"max_age beyond reason", params("rp", "max_age", "99999999999999"), "invalid_request"},
		{"no challenge", params("rp", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		{"no challenge from a public client", params("spa", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		{"plain challenge", params("rp", "code_challenge_method", "plain"), "invalid_request"},
		{"challenge without method", params("rp", "code_challenge_method", ""), "invalid_request"},
		{"malformed claims", params("rp", "claims", "[]"), "invalid_request"},
		{"unknown essential acr", params("rp", "claims", `{"id_token":{"acr":{"essential":true,"values":["urn:x"]}}}`), "unmet_authentication_requirements"},
		{"hint that is not a token", params("rp", "id_token_hint", "abc"), "invalid_request"},
		{"unknown resource", params("rp", "resource", "https://api.example"), "invalid_target"},
		{"no state, nonce or challenge", params("excused", "state", "", "nonce", "", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		{"not signed in, no page allowed", params("rp", "prompt", "none"), "login_required"},
	}
}

// openedRequests are good requests.
func openedRequests() []beginCase {
	long := strings.Repeat("s", maxState+1)
	return []beginCase{
		{"a good request", params("rp"), ""},
		{"without openid", params("rp", "scope", "read"), ""},
		{"without scope", params("rp", "scope", ""), ""},
		{"scopes in another order", params("rp", "scope", "email  openid profile"), ""},
		{"without nonce", params("rp", "nonce", ""), ""},
		{"short nonce", params("rp", "nonce", "n"), ""},
		{"short state", params("rp", "state", "s"), ""},
		{"without state but with a challenge", params("rp", "state", "", "nonce", ""), ""},
		{"without state but with a nonce", params("excused", "state", "", "code_challenge", "", "code_challenge_method", ""), ""},
		{"longest state", params("rp", "state", long[1:]), ""},
		{"unknown parameter", params("rp", "extra", "foobar"), ""},
		{"display and locales", params("rp", "display", "popup", "ui_locales", "se de", "claims_locales", "se"), ""},
		{"unknown voluntary acr", params("rp", "acr_values", "urn:x"), ""},
		{"known resource", params("api", "resource", "https://api.example"), ""},
		{"fosite's own audience parameter", params("rp", "audience", "https://api.example"), ""},
	}
}

// Conformance (OpenID Connect): Core 3.1.2.1, 3.1.2.6, RFC 6749 3.1, 3.1.1: modules oidcc-response-type-missing, oidcc-ensure-registered-redirect-uri, oidcc-ensure-request-with-unknown-parameter-succeeds, oidcc-ensure-request-without-nonce-succeeds-for-code-flow, oidcc-alternate-happy-flow, oidcc-display-page, oidcc-display-popup, oidcc-ui-locales, oidcc-claims-locales, oidcc-prompt-none-not-logged-in: a redirect URI that is not registered gets a page, other errors are sent with `state` and `iss` and nothing else; what is unknown is ignored
// Conformance (OpenID Connect): Core 6, 3.1.2.6: modules oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported, oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported, oidcc-ensure-request-object-with-redirect-uri: `none` is not offered, and refused as `request_not_supported` of clients that sign nothing
func TestBeginRefuses(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("off", func(c *storage.Client) { c.Disabled = true })
	h.client("spa", public)
	h.client("excused", func(c *storage.Client) { c.PKCEOptional = true })
	h.client("machine", func(c *storage.Client) { c.GrantTypes = []string{"client_credentials"} })
	h.client("tokens", func(c *storage.Client) { c.ResponseTypes = []string{"id_token"} })
	h.client("api", func(c *storage.Client) { c.Audience = []string{"https://api.example"} })
	for _, tc := range slices.Concat(shownAsPages(), clientErrors(), openedRequests()) {
		t.Run(tc.name, func(t *testing.T) {
			b, err := h.p.Begin(h.ctx, Params{Query: tc.in}, h.visit, nil)
			got := codeOf(err)
			if b.Answer != nil {
				a := h.values(*b.Answer)
				got = a.Get("error")
				state := tc.in.Get("state")
				if a.Get("iss") != issuer || a.Get("state") != state || a.Has("state") != (state != "") || a.Has("code") {
					t.Errorf("response = %v, want iss, state %q and no code", a, state)
				}
				for name := range a {
					if name != "error" && name != "error_description" && name != "state" && name != "iss" {
						t.Errorf("response holds %q", name)
					}
				}
				if d := a.Get("error_description"); d != oauth.Sanitize(d) {
					t.Errorf("description %q holds illegal characters", d)
				}
			}
			if got != tc.want {
				t.Errorf("Begin = %q, want %q", got, tc.want)
			}
			if (b.Request != "") != (tc.want == "") {
				t.Errorf("request = %q", b.Request)
			}
		})
	}
}

func TestErrorsOfImplicitRequestsGoToTheFragment(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	got := h.begin(params("rp", "response_type", "id_token token"), nil).Answer.Location
	if !strings.HasPrefix(got, callback+"#error=unsupported_response_type") {
		t.Errorf("response = %q, want an error in the fragment", got)
	}
}

func TestBeginByPostIsTheSame(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	b, err := h.p.Begin(h.ctx, Params{Form: params("rp")}, h.visit, nil)
	if err != nil || b.Request == "" {
		t.Errorf("Begin = %+v, %v, want a request", b, err)
	}
}

// What a login with a session still needs, by prompt, max_age, hint and acr.
//
// Conformance (OpenID Connect): Core 3.1.2.1: modules oidcc-max-age-1, oidcc-ensure-request-with-acr-values-succeeds: what a session is good for, by `prompt`, `max_age`, `id_token_hint` and `acr`
func TestPromptAndMaxAge(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("strict", func(c *storage.Client) { c.MFA = mfa.MFAAlways })
	h.client("asks", func(c *storage.Client) { c.Consent = "ask" })
	h.user("ada", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
	h.user("bob", "")
	code, ada := h.signIn(params("rp"), "ada")
	hint := h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token")
	bobCode, bob := h.signIn(params("rp"), "bob")
	bobHint := h.post(h.p.Grants.Token, "rp", redeem(bobCode)).get("id_token")
	h.wait(10 * 60 * 1e9)
	gold := `{"id_token":{"acr":{"essential":true,"values":["aal2"]}}}`
	for _, tc := range []struct {
		name string
		s    *session.SignedIn
		in   url.Values
		want string // "code", an error, or the first step
	}{
		{"nothing special", ada, params("rp"), "code"},
		{"none", ada, params("rp", "prompt", "none"), "code"},
		{"login", ada, params("rp", "prompt", "login"), "identify"},
		{"select_account", ada, params("rp", "prompt", "select_account"), "identify"},
		{"prompt=consent for a first party", ada, params("rp", "prompt", "consent"), "consent"},
		{"young enough", ada, params("rp", "max_age", "900"), "code"},
		{"too old", ada, params("rp", "max_age", "599"), "identify"},
		{"max_age 0 is prompt=login", ada, params("rp", "max_age", "0"), "identify"},
		{"too old and no page allowed", ada, params("rp", "max_age", "599", "prompt", "none"), "login_required"},
		{"hint of the user", ada, params("rp", "id_token_hint", hint), "code"},
		{"hint of the user, no page allowed", ada, params("rp", "id_token_hint", hint, "prompt", "none"), "code"},
		{"hint of another user", ada, params("rp", "id_token_hint", bobHint), "identify"},
		{"hint of another user, no page allowed", ada, params("rp", "id_token_hint", bobHint, "prompt", "none"), "login_required"},
		{"subject claim of another user", bob, params("rp", "prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+string(ada.Account.User.ID)+`"}}}`), "login_required"},
		{"hint and subject claim disagree", ada, params("rp", "id_token_hint", hint, "claims", `{"id_token":{"sub":{"value":"x"}}}`), "login_required"},
		{"policy requires a second factor", ada, params("strict"), "verify"},
		{"policy requires one, no page allowed", ada, params("strict", "prompt", "none"), "interaction_required"},
		{"policy requires one, none enrolled", bob, params("strict"), "enroll"},
		{"policy requires one, none enrolled, no page allowed", bob, params("strict", "prompt", "none"), "interaction_required"},
		{"acr that can be reached", ada, params("rp", "acr_values", "aal2"), "verify"},
		{"acr that cannot be reached, voluntary", bob, params("rp", "acr_values", "aal2"), "code"},
		{"acr that cannot be reached, essential", bob, params("rp", "claims", gold), "unmet_authentication_requirements"},
		{"acr that can be reached, essential", ada, params("rp", "claims", gold), "verify"},
		{"consent not given", ada, params("asks"), "consent"},
		{"consent not given, no page allowed", ada, params("asks", "prompt", "none"), "consent_required"},
		{"consent not given, no scopes", ada, params("asks", "scope", ""), "consent"},
		{"consent not given, no scopes, no page allowed", ada, params("asks", "scope", "", "prompt", "none"), "consent_required"},
		{"no scopes at a first party", ada, params("rp", "scope", "", "prompt", "none"), "code"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := h.begin(tc.in, tc.s)
			var got string
			switch {
			case b.Finished != nil:
				got = "code"
				if !h.values(b.Finished.Answer).Has("code") {
					got = "nothing"
				}
			case b.Answer != nil:
				got = h.values(*b.Answer).Get("error")
			default:
				got = string(h.next(b.Request, tc.s).Kind)
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Conformance (OpenID Connect): Core 2, 3.1.2.1: modules oidcc-prompt-login, oidcc-prompt-none-logged-in, oidcc-max-age-10000: `auth_time` is that of the sign-in
func TestPromptLoginGivesANewAuthTimeAndNoneKeepsIt(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, s := h.signIn(params("rp"), "ada")
	claims := func(code string) map[string]any {
		c, _ := h.readJWT(h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token"))
		return c
	}
	first := claims(code)
	h.wait(5e9)
	b := h.begin(params("rp", "prompt", "none", "max_age", "10000"), s)
	again := claims(h.values(b.Finished.Answer).Get("code"))
	if again["auth_time"] != first["auth_time"] || again["sub"] != first["sub"] {
		t.Errorf("auth_time = %v, want %v as before", again["auth_time"], first["auth_time"])
	}
	b = h.begin(params("rp", "prompt", "login"), s)
	if st := h.next(b.Request, s); st.LoginHint != "ada@example.org" || st.Request.Subject != "" {
		t.Errorf("hint = %q, subject %q, want the user's name and no subject", st.LoginHint, st.Request.Subject)
	}
	h.enter(b.Request, "ada", s)
	f, q := h.finish(b.Request, s)
	if f.Session == nil || f.Session.ID != s.Session.ID || f.SessionToken == h.sessions.Token(s.Session) {
		t.Error("the session is not raised to a new token")
	}
	if fresh := claims(q.Get("code")); fresh["auth_time"] == first["auth_time"] || fresh["auth_time"] != float64(h.now().Unix()) {
		t.Errorf("auth_time = %v, want now", fresh["auth_time"])
	}
}

// Conformance (OpenID Connect): Core 3.1.2.1: module oidcc-id-token-hint: a hint is good after its time and the one of its key
func TestAnExpiredHintOfARetiredKeyIsGood(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("other")
	h.user("ada", "")
	code, s := h.signIn(params("rp"), "ada")
	hint := h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token")
	old := h.opensWith(hint)
	h.rotate("ES256")
	h.wait(20 * 60 * 1e9)
	s.Session.LastSeenAt = h.now()
	if got := h.begin(params("rp", "prompt", "none", "id_token_hint", hint), s); got.Finished == nil {
		t.Errorf("hint refused: %v", h.values(*got.Answer))
	}
	if got := h.begin(params("other", "prompt", "none", "id_token_hint", hint), s); got.Answer == nil || h.values(*got.Answer).Get("error") != "invalid_request" {
		t.Error("a hint given to another client is good, want invalid_request")
	}
	code, _ = h.signIn(params("rp"), "ada")
	if fresh := h.opensWith(h.post(h.p.Grants.Token, "rp", redeem(code)).get("id_token")); fresh == old {
		t.Error("the new key does not sign")
	}
	access := h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials")).get("access_token")
	if got := h.begin(params("rp", "id_token_hint", access), s); got.Answer == nil {
		t.Error("an access token passed as an ID token")
	}
}

// opensWith is the kid of the key that signed a token.
func (h *fixture) opensWith(token string) string {
	h.t.Helper()
	_, header := h.readJWT(token)
	return header.KeyID
}

func FuzzHint(f *testing.F) {
	h := newFixture(f)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := h.p.codec.ReadID(token); err == nil {
			t.Errorf("%q passed as an ID token", token)
		}
		if _, err := h.p.codec.ReadAccess(token); err == nil {
			t.Errorf("%q passed as an access token", token)
		}
		if _, _, ok := h.p.codec.ReadRefresh(token); ok {
			t.Errorf("%q passed as a refresh token", token)
		}
	})
}

// An unauthenticated caller can begin logins, so they are counted and not in the audit trail.
func TestBegunLoginsAreCountedButNotAudited(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	for range 3 {
		if b, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, nil); err != nil || b.Request == "" {
			t.Fatalf("Begin = %+v, %v", b, err)
		}
	}
	_, _ = h.p.Begin(h.ctx, Params{Query: params("nobody")}, h.visit, nil)
	h.ok(h.journal.Flush(h.ctx))
	lines, err := h.engine.ListEvents(h.ctx, storage.EventFilter{ClientID: "rp", Limit: 10})
	if err != nil || len(lines) != 0 || h.p.Started() != 3 {
		t.Errorf("%d logins are counted and %+v is written, %v; want 3 and nothing", h.p.Started(), lines, err)
	}
}
