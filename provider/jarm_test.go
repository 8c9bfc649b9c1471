package provider

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/provider/oauth"
	"sallyport/storage"
)

// response reads the one parameter of a signed response, after verifying it.
func (h *fixture) response(a Answer) (map[string]any, string) {
	h.t.Helper()
	v := h.values(a)
	if len(v) != 1 || v.Get("response") == "" {
		h.t.Fatalf("response = %v, want one parameter", v)
	}
	claims, header := h.readJWT(v.Get("response"))
	return claims, header.Algorithm
}

// Conformance (Signed responses): JARM 2.1: `iss`, `aud`, an `exp` within ten minutes, and the parameters, `state` among them
// Conformance (Signed responses): JARM 2.3: `jwt`, `query.jwt`, `fragment.jwt`, `form_post.jwt`, and nothing beside `response`
func TestSignedResponses(t *testing.T) {
	h := newFixture(t, "ES256", "PS256")
	h.client("rp")
	h.client("ps", func(c *storage.Client) { c.AuthorizationAlg = "PS256" })
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	for _, tc := range []struct {
		client storage.ClientID
		mode   string
		want   string // what the address begins with; "": a form
		alg    string
	}{
		{"rp", "jwt", callback + "?response=", "ES256"},
		{"rp", "query.jwt", callback + "?response=", "ES256"},
		{"rp", "fragment.jwt", callback + "#response=", "ES256"},
		{"rp", "form_post.jwt", "", "ES256"},
		{"ps", "jwt", callback + "?response=", "PS256"},
		{"ps", "", callback + "?response=", "PS256"},
	} {
		t.Run(string(tc.client)+" "+tc.mode, func(t *testing.T) {
			h.t = t
			a := h.begin(params(tc.client, "response_mode", tc.mode), s).Finished.Answer
			if !strings.HasPrefix(a.Location, tc.want) || (tc.want == "") != (a.FormPost != nil && a.FormPost.Action == callback) {
				t.Errorf("answer = %+v, want %q", a, tc.want)
			}
			got, alg := h.response(a)
			until := time.Unix(int64(got["exp"].(float64)), 0).Sub(h.now())
			code, _ := got["code"].(string)
			if got["iss"] != issuer || got["aud"] != string(tc.client) || got["state"] != "the-state" || len(got) != 5 || alg != tc.alg || until <= 0 || until > 10*time.Minute {
				t.Errorf("response = %v with %s, until %s", got, alg, until)
			}
			if r := h.post(h.p.Grants.Token, string(tc.client), redeem(code)); r.Status != 200 {
				t.Errorf("the code = %d %s", r.Status, r.Raw)
			}
			if a.Fields[0] != [2]string{"code", code} || h.values(a).Has("iss") {
				t.Errorf("fields = %v", a.Fields)
			}
		})
	}
}

// Conformance (Signed responses): JARM 2.1: an error is signed as a response is, wherever it arises
// Conformance (Signed responses): JARM 3: a client that registered `authorization_signed_response_alg` gets no response without a signature
func TestErrorsAreSigned(t *testing.T) {
	h := newFixture(t)
	key := newKey(t)
	h.client("rp", func(c *storage.Client) { c.JWKS = key.set(t) })
	h.client("signs", func(c *storage.Client) { c.AuthorizationAlg, c.JWKS = "ES256", key.set(t) })
	h.user("ada", "")
	for _, tc := range []struct {
		name   string
		params url.Values
		want   string
	}{
		{"a scope that is not allowed", params("rp", "response_mode", "jwt", "scope", "nonsense"), "invalid_scope"},
		{"no session", params("rp", "response_mode", "form_post.jwt", "prompt", "none"), "login_required"},
		{"before the parameters are read", params("rp", "response_mode", "jwt", "request", "a.b.c"), "invalid_request_object"},
		{"inside a request object", params("rp", "request", key.object(t, objectClaims(h, "rp"), "response_mode", "jwt", "prompt", "maybe")), "invalid_request"},
		{"no mode", params("signs", "scope", "nonsense"), "invalid_scope"},
		{"a downgrade", params("signs", "response_mode", "query"), "invalid_request"},
		{"a downgrade to a form", params("signs", "response_mode", "form_post"), "invalid_request"},
		{"a downgrade beside a request object", params("signs", "response_mode", "query", "request", "a.b.c"), "invalid_request_object"},
		{"an unknown mode", params("signs", "response_mode", "web_message"), "invalid_request"},
		{"a token in the query", params("signs", "response_mode", "query.jwt", "response_type", "id_token"), "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.t = t
			b := h.begin(tc.params, nil)
			if b.Answer == nil {
				t.Fatalf("began %+v", b)
			}
			got, _ := h.response(*b.Answer)
			if got["error"] != tc.want || got["iss"] != issuer || got["aud"] == nil || got["exp"] == nil || got["code"] != nil {
				t.Errorf("response = %v, want %s", got, tc.want)
			}
		})
	}
	t.Run("a user who cancels", func(t *testing.T) {
		h.t = t
		b := h.begin(params("signs"), nil)
		a, err := h.p.Cancel(h.ctx, b.Step, h.visit)
		h.ok(err)
		if got, _ := h.response(a); got["error"] != "access_denied" || got["state"] != "the-state" {
			t.Errorf("response = %v", got)
		}
	})
	for _, mode := range []string{"web_message", ".jwt", "jwt.jwt", "query.jwt.jwt", "JWT"} {
		b, got := h.refusedWith(params("rp", "response_mode", mode))
		if got == "" {
			h.t = t
			signed, _ := h.response(*b.Answer)
			got, _ = signed["error"].(string)
		}
		if got != "invalid_request" {
			t.Errorf("response_mode %q = %q, want invalid_request", mode, got)
		}
	}
}

// A response that cannot be signed is none: the login does not end, and no code is issued.
func TestNothingIsSentWithoutItsSignature(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.AuthorizationAlg = "PS256" }) // for which there is no key
	h.client("plain")
	h.user("ada", "")
	_, s := h.signIn(params("plain"), "ada")
	b, err := h.p.Begin(h.ctx, Params{Query: params("rp")}, h.visit, s)
	var refused *oauth.Error
	if err == nil || errors.As(err, &refused) || b.Answer != nil || b.Finished != nil {
		t.Errorf("Begin = %+v, %v, want a failure of the server", b, err)
	}
	b = h.begin(params("rp", "prompt", "login"), nil)
	if a, err := h.p.Cancel(h.ctx, b.Step, h.visit); err == nil || a.Location != "" {
		t.Errorf("Cancel = %+v, %v, want a failure", a, err)
	}
	if st := h.next(b.Request, nil); st.Kind == StepOver {
		t.Error("the login is over")
	}
}

// A signed response is no ID token, no access token and no hint, though the same keys signed it.
//
// Conformance (Signed responses): RFC 8725 3.11: a signed response passes for no token
func TestASignedResponseIsNoToken(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	text := h.values(h.begin(params("rp", "response_mode", "jwt"), s).Finished.Answer).Get("response")
	if got := h.userinfo(text); got.Status != 401 {
		t.Errorf("userinfo = %d %s", got.Status, got.Raw)
	}
	if h.active("rp", text) {
		t.Error("introspection calls it active")
	}
	if _, got := h.refusedWith(params("rp", "prompt", "none", "id_token_hint", text)); got != "invalid_request" {
		t.Errorf("as a hint = %q, want invalid_request", got)
	}
	token := h.tokensFor("rp", "ada", "openid read").get("access_token")
	signed := h.introspected("rp", token)
	if got := h.userinfo(signed); got.Status != 401 {
		t.Errorf("userinfo with a signed introspection = %d %s", got.Status, got.Raw)
	}
	if h.active("rp", signed) {
		t.Error("introspection calls its own response active")
	}
}

// introspected returns the signed response of introspection.
func (h *fixture) introspected(id, token string) string {
	h.t.Helper()
	got := h.acceptedBy(id, token, "application/token-introspection+jwt")
	if got.Status != 200 || got.Header.Get("Content-Type") != "application/token-introspection+jwt" || got.Header.Get("Cache-Control") != "no-store" {
		h.t.Fatalf("introspection = %d %v %s", got.Status, got.Header, got.Raw)
	}
	return got.Raw
}

// acceptedBy introspects a token with a header Accept.
func (h *fixture) acceptedBy(id, token string, accept ...string) reply {
	r := httptest.NewRequest(http.MethodPost, "/introspect", strings.NewReader(formOf("token", token).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", basic(id, clientSecret))
	r.Header["Accept"] = accept
	return h.call(h.p.Introspection.Introspect, r)
}

// Conformance (Signed responses): RFC 9701 4, 5: by the header Accept; `typ`, `iss`, `aud` the caller, `iat`, the response in `token_introspection`, and neither `sub` nor `exp` beside it
// Conformance (Signed responses): RFC 9701 6: `introspection_signed_response_alg`
func TestSignedIntrospection(t *testing.T) {
	h := newFixture(t, "ES256", "PS256")
	h.client("rp", func(c *storage.Client) { c.Audience = []string{"api"} })
	h.client("api", func(c *storage.Client) { c.IntrospectionAlg = "PS256" })
	h.client("other")
	h.user("ada", "")
	made := h.tokensFor("rp", "ada", "openid read offline_access")
	token := made.get("access_token")
	for _, tc := range []struct {
		caller, token, alg string
		active             bool
	}{
		{"rp", token, "ES256", true}, {"api", token, "PS256", true}, {"other", token, "ES256", false}, {"rp", "nonsense", "ES256", false},
		{"rp", made.get("refresh_token"), "ES256", true},
	} {
		got, header := h.readJWT(h.introspected(tc.caller, tc.token))
		inside, _ := got["token_introspection"].(map[string]any)
		if len(got) != 4 || got["iss"] != issuer || got["aud"] != tc.caller || got["iat"] != float64(h.now().Unix()) || header.Algorithm != tc.alg || header.ExtraHeaders["typ"] != "token-introspection+jwt" {
			t.Errorf("%s: %v %+v, want %s", tc.caller, got, header, tc.alg)
		}
		if inside["active"] != tc.active || tc.active != (inside["sub"] != nil) || !tc.active && len(inside) != 1 {
			t.Errorf("%s: token_introspection = %v, want active %v", tc.caller, inside, tc.active)
		}
		var plain = h.post(h.p.Introspection.Introspect, tc.caller, formOf("token", tc.token))
		if len(plain.Body) != len(inside) {
			t.Errorf("%s: JSON has %v, the JWT %v", tc.caller, plain.Body, inside)
		}
	}
	const signed, plain = "application/token-introspection+jwt", "application/json"
	for accept, want := range map[string]string{signed: signed, plain: plain, "*/*": plain, "": plain, "application/*": plain, "text/html, " + signed: signed,
		signed + ", " + plain: signed, plain + ", " + signed + ";q=0.5": plain, plain + ";q=0.5, " + signed: signed, signed + ";q=0": plain,
		strings.ToUpper(signed): signed, signed + ";q=high": plain, "nonsense;;=": plain} {
		if got := h.acceptedBy("rp", token, accept); got.Status != 200 || got.Header.Get("Content-Type") != want {
			t.Errorf("Accept: %s = %d %s, want %s", accept, got.Status, got.Header.Get("Content-Type"), want)
		}
	}
	if got := h.acceptedBy("rp", token, plain, signed+";q=0.1"); got.Header.Get("Content-Type") != plain {
		t.Errorf("two headers = %s", got.Header.Get("Content-Type"))
	}
	if got := h.acceptedBy("nobody", token, signed); got.Status != 401 || got.get("error") != "invalid_client" {
		t.Errorf("an unknown caller = %d %s", got.Status, got.Raw)
	}
	h.client("lost", func(c *storage.Client) { c.IntrospectionAlg = "EdDSA" }) // for which there is no key
	if got := h.acceptedBy("lost", token, signed); got.Status != 500 || got.get("error") != "server_error" {
		t.Errorf("without a key = %d %s", got.Status, got.Raw)
	}
}

// Conformance (FAPI 2.0): Security Profile 5.3.2.1: refresh tokens do not rotate with `profile: fapi2`
func TestRefreshTokensOfFAPIClientsStay(t *testing.T) {
	onBothDatabases(t, func(h *fixture) {
		p := h.prover()
		h.client("rp", func(c *storage.Client) { c.Profile, c.DPoPBound = "fapi2", true })
		h.client("was", func(c *storage.Client) { c.DPoPBound = true })
		h.user("ada", "")
		h.client("old", func(c *storage.Client) { c.Profile = "fapi2" }) // from before the rule
		if got := h.tokenWith("old", formOf(reports...)); got.get("error") != "invalid_dpop_proof" {
			h.t.Errorf("a bearer token = %d %s, want none", got.Status, got.Raw)
		}
		uri := h.push("rp", "scope", "openid offline_access")
		b, refused := h.opened("rp", uri, h.visit, nil)
		if refused != "" {
			h.t.Fatal(refused)
		}
		proven, err := h.first(b.Request, "ada", nil)
		h.ok(err)
		code := h.values(proven.Finished.Answer).Get("code")
		if got := h.tokenWith("rp", redeem(code)); got.get("error") != "invalid_dpop_proof" {
			h.t.Errorf("without a proof = %d %s", got.Status, got.Raw)
		}
		token := h.tokenWith("rp", redeem(code), p.forToken()).get("refresh_token")
		for i, got := range parallel(8, func() reply { return h.tokenWith("rp", refreshOf(token), p.forToken()) }) {
			if got.Status != 200 || got.get("refresh_token") != token || got.get("access_token") == "" {
				h.t.Errorf("refresh %d = %d %s, want the same refresh token", i, got.Status, got.Raw)
			}
		}
		h.clock.Advance(20 * 24 * time.Hour) // each use begins the idle time again
		h.tokenWith("rp", refreshOf(token), p.forToken())
		h.clock.Advance(20 * 24 * time.Hour)
		if got := h.tokenWith("rp", refreshOf(token), h.prover().forToken()); got.Status != 200 { // a new key is fine: the client authenticates
			h.t.Errorf("after 40 days of use = %d %s", got.Status, got.Raw)
		}
		h.clock.Advance(31 * 24 * time.Hour)
		if got := h.tokenWith("rp", refreshOf(token), p.forToken()); got.get("error") != "invalid_grant" {
			h.t.Errorf("after a month without use = %d %s", got.Status, got.Raw)
		}
		code, _ = h.signIn(params("was", "scope", "openid offline_access"), "ada")
		first := h.tokenWith("was", redeem(code), p.forToken()).get("refresh_token")
		second := h.tokenWith("was", refreshOf(first), p.forToken()).get("refresh_token")
		h.client("was", func(c *storage.Client) { c.Profile, c.DPoPBound = "fapi2", true })
		if got := h.tokenWith("was", refreshOf(second), p.forToken()); got.get("refresh_token") != second {
			h.t.Errorf("the newest token of before = %d %s", got.Status, got.Raw)
		}
		if got := h.tokenWith("was", refreshOf(first), p.forToken()); got.get("error") != "invalid_grant" {
			h.t.Errorf("a token that rotated before = %d %s", got.Status, got.Raw)
		}
		if got := h.tokenWith("was", refreshOf(second), p.forToken()); got.get("error") != "invalid_grant" {
			h.t.Errorf("after its reuse = %d %s, want the family ended", got.Status, got.Raw)
		}
	})
}
