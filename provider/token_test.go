package provider

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/provider/signing"
	"sallyport/storage"
)

// tokensFor signs a user in and redeems the code.
func (h *fixture) tokensFor(id storage.ClientID, name, scope string) reply {
	h.t.Helper()
	code, _ := h.signIn(params(id, "scope", scope), name)
	got := h.post(h.p.Grants.Token, string(id), redeem(code))
	if got.Status != http.StatusOK {
		h.t.Fatalf("token = %d %s, want 200", got.Status, got.Raw)
	}
	return got
}

func TestTokenRefuses(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Audience = []string{"https://api.example", "https://two.example"} })
	h.client("post", func(c *storage.Client) { c.AuthMethod = "client_secret_post" })
	h.client("spa", public)
	h.client("off", func(c *storage.Client) { c.Disabled = true })
	h.client("codeonly", func(c *storage.Client) { c.GrantTypes = []string{"authorization_code"} })
	h.user("ada", "")
	code, s := h.signIn(params("rp"), "ada")
	cc := func(changes ...string) url.Values {
		return formOf(append([]string{"grant_type", "client_credentials"}, changes...)...)
	}
	for _, tc := range []struct {
		name   string
		client string
		form   url.Values
		status int
		code   string
	}{
		{"no grant type", "rp", formOf("code", "x"), 400, "invalid_request"},
		{"unknown grant type", "rp", cc("grant_type", "urn:x"), 400, "unsupported_grant_type"},
		{"password grant", "rp", cc("grant_type", "password", "username", "ada", "password", password), 400, "unsupported_grant_type"},
		{"grant types in a list", "rp", cc("grant_type", "client_credentials authorization_code"), 400, "unsupported_grant_type"},
		{"unknown grant type of an unknown client", "nobody", cc("grant_type", "urn:x"), 400, "unsupported_grant_type"},
		{"a parameter twice", "rp", url.Values{"grant_type": {"client_credentials"}, "scope": {"read", "write"}}, 400, "invalid_request"},
		{"grant type twice", "rp", url.Values{"grant_type": {"client_credentials", "client_credentials"}}, 400, "invalid_request"},
		{"no client", "", cc(), 401, "invalid_client"},
		{"unknown client", "nobody", cc(), 401, "invalid_client"},
		{"disabled client", "off", cc(), 401, "invalid_client"},
		{"wrong secret", "", cc("client_id", "post", "client_secret", "wrong"), 401, "invalid_client"},
		{"basic of a client registered for post", "post", cc(), 401, "invalid_client"},
		{"post of a client registered for basic", "", cc("client_id", "rp", "client_secret", clientSecret), 401, "invalid_client"},
		{"name alone of a confidential client", "", cc("client_id", "rp"), 401, "invalid_client"},
		{"a secret from a public client", "", cc("client_id", "spa", "client_secret", clientSecret), 401, "invalid_client"},
		{"two ways in one request", "rp", cc("client_id", "rp", "client_secret", clientSecret), 400, "invalid_request"},
		{"client credentials of a public client", "", cc("client_id", "spa"), 400, "unauthorized_client"},
		{"client credentials without the grant", "codeonly", cc(), 400, "unauthorized_client"},
		{"unknown scope", "rp", cc("scope", "nonsense"), 400, "invalid_scope"},
		{"scope without end", "rp", cc("scope", strings.Repeat("read ", 900)), 400, "invalid_scope"},
		{"foreign resource", "rp", cc("resource", "https://evil.example"), 400, "invalid_target"},
		{"unknown code", "rp", redeem(strings.Repeat("x", 43)), 400, "invalid_grant"},
		{"malformed code", "rp", redeem("x"), 400, "invalid_grant"},
		{"code of another client", "post", redeem(code, "client_id", "post", "client_secret", clientSecret), 400, "invalid_request"},
		{"another redirect address", "rp", redeem(code, "redirect_uri", "https://rp.example/other"), 400, "invalid_grant"},
		{"no redirect address", "rp", redeem(code, "redirect_uri", ""), 400, "invalid_grant"},
		{"wrong verifier", "rp", redeem(code, "code_verifier", strings.Repeat("a", 43)), 400, "invalid_grant"},
		{"no verifier", "rp", redeem(code, "code_verifier", ""), 400, "invalid_grant"},
		{"an access token as refresh token", "rp", refreshOf("sp_at_x"), 400, "invalid_grant"},
		{"a made-up refresh token", "rp", refreshOf("sp_rt_" + strings.Repeat("a", 64)), 400, "invalid_grant"},
		{"no refresh token", "rp", refreshOf(""), 400, "invalid_grant"},
		{"refresh without the grant", "codeonly", refreshOf("x"), 400, "unauthorized_client"},
		{"post works", "", cc("client_id", "post", "client_secret", clientSecret, "scope", "read"), 200, ""},
		{"basic works", "rp", cc("scope", "read write"), 200, ""},
		{"and the code is still good", "rp", redeem(code), 200, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := h.post(h.p.Grants.Token, tc.client, tc.form)
			if got.Status != tc.status || got.get("error") != tc.code {
				t.Errorf("token = %d %s, want %d %s", got.Status, got.Raw, tc.status, tc.code)
			}
			if challenge := got.Header.Get("WWW-Authenticate"); (got.Status == 401 && tc.client != "") != strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("WWW-Authenticate = %q", challenge)
			}
			if got.Header.Get("Cache-Control") != "no-store" {
				t.Error("the response may be cached")
			}
			if got.Status != 200 && (got.Body["access_token"] != nil || got.Body["refresh_token"] != nil) {
				t.Error("a token left with a refusal")
			}
		})
	}
	_ = s
}

func TestTokenReadsOnlyForms(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	for _, tc := range []struct {
		name, method, target, kind, body string
		status                           int
	}{
		{"get", "GET", "/token?grant_type=client_credentials", "", "", 405},
		{"json", "POST", "/token", "application/json", `{"grant_type":"client_credentials"}`, 400},
		{"multipart", "POST", "/token", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--x--", 400},
		{"no content type", "POST", "/token", "", "grant_type=client_credentials", 400},
		{"parameters in the address", "POST", "/token?scope=read", "application/x-www-form-urlencoded", "grant_type=client_credentials", 400},
		{"broken escapes", "POST", "/token", "application/x-www-form-urlencoded", "grant_type=%zz", 400},
		{"NUL", "POST", "/token", "application/x-www-form-urlencoded", "grant_type=client_credentials&scope=%00", 400},
		{"charset", "POST", "/token", "application/x-www-form-urlencoded; charset=UTF-8", "grant_type=client_credentials", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, tc.target, strings.NewReader(tc.body))
			if tc.kind != "" {
				r.Header.Set("Content-Type", tc.kind)
			}
			r.Header.Set("Authorization", basic("rp", clientSecret))
			if got := h.call(h.p.Grants.Token, r); got.Status != tc.status || (tc.status != 200 && got.get("error") != "invalid_request") {
				t.Errorf("token = %d %s, want %d", got.Status, got.Raw, tc.status)
			}
		})
	}
}

func TestClientCredentials(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Audience = []string{"https://api.example", "https://two.example"} })
	h.client("plain", func(c *storage.Client) { c.AccessTokenFormat, c.AccessTokenTTL = "opaque", 60 })
	got := h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials", "scope", "read openid", "resource", "https://two.example"))
	claims, _ := h.readJWT(got.get("access_token"))
	if claims["sub"] != "rp" || claims["aud"] != "https://two.example" || claims["scope"] != "read" || got.Body["refresh_token"] != nil || got.Body["id_token"] != nil {
		t.Errorf("token = %v, body = %s", claims, got.Raw)
	}
	if info := h.userinfo(got.get("access_token")); info.Status != http.StatusUnauthorized {
		t.Errorf("userinfo = %d, want 401", info.Status)
	}
	if h.active("plain", got.get("access_token")) {
		t.Error("another client sees the token")
	}
	opaque := h.post(h.p.Grants.Token, "plain", formOf("grant_type", "client_credentials"))
	token := opaque.get("access_token")
	if !strings.HasPrefix(token, "sp_at_") || opaque.Body["expires_in"] != 60.0 || !h.active("plain", token) {
		t.Errorf("opaque token = %s", opaque.Raw)
	}
	if h.post(h.p.Introspection.Revoke, "rp", formOf("token", token)).Status != 200 || !h.active("plain", token) {
		t.Error("another client revoked the token")
	}
	if h.post(h.p.Introspection.Revoke, "plain", formOf("token", token)).Status != 200 || h.active("plain", token) {
		t.Error("the token is valid after its revocation")
	}
	again := h.post(h.p.Grants.Token, "plain", formOf("grant_type", "client_credentials")).get("access_token")
	h.wait(60 * time.Second)
	if h.active("plain", again) {
		t.Error("the token is valid after its expiry")
	}
	if h.events(mfa.EventTokenIssued) != 3 {
		t.Errorf("%d events of issued tokens, want 3", h.events(mfa.EventTokenIssued))
	}
}

// Edge 1: one wrong try must not open the way without a verifier, not even for a client
// that is excused from PKCE.
func TestAWrongVerifierDoesNotWeakenTheCode(t *testing.T) {
	h := newFixture(t)
	h.client("excused", func(c *storage.Client) { c.PKCEOptional = true })
	h.user("ada", "")
	code, s := h.signIn(params("excused"), "ada")
	for _, verifier := range []string{strings.Repeat("a", 43), "", strings.Repeat("b", 43), challengeB, ""} {
		if got := h.post(h.p.Grants.Token, "excused", redeem(code, "code_verifier", verifier)); got.get("error") != "invalid_grant" {
			t.Errorf("verifier %q = %d %s, want invalid_grant", verifier, got.Status, got.Raw)
		}
	}
	if got := h.post(h.p.Grants.Token, "excused", redeem(code)); got.Status != 200 {
		t.Errorf("the right verifier = %d %s, want 200", got.Status, got.Raw)
	}
	b := h.begin(params("excused", "code_challenge", "", "code_challenge_method", ""), s)
	bare := h.values(b.Finished.Answer).Get("code")
	if got := h.post(h.p.Grants.Token, "excused", redeem(bare)); got.get("error") != "invalid_grant" {
		t.Errorf("a verifier without a challenge = %s, want invalid_grant", got.Raw)
	}
	if got := h.post(h.p.Grants.Token, "excused", redeem(bare, "code_verifier", "")); got.Status != 200 {
		t.Errorf("neither = %d %s, want 200", got.Status, got.Raw)
	}
}

func TestACodeLivesAMinute(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, _ := h.signIn(params("rp"), "ada")
	h.wait(time.Minute)
	if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.get("error") != "invalid_grant" {
		t.Errorf("token = %d %s, want invalid_grant", got.Status, got.Raw)
	}
}

// O-4: the second use of a code ends everything the first one gave.
//
// Conformance (OpenID Connect): RFC 6749 4.1.2: modules oidcc-codereuse, oidcc-codereuse-30seconds: a code used again is `invalid_grant`, and ends its tokens
func TestAReplayedCodeEndsTheGrant(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, _ := h.signIn(params("rp", "scope", "openid offline_access"), "ada")
	first := h.post(h.p.Grants.Token, "rp", redeem(code))
	h.wait(30 * time.Second)
	if got := h.post(h.p.Grants.Token, "rp", redeem(code)); got.Status != 400 || got.get("error") != "invalid_grant" {
		t.Errorf("second use = %d %s, want invalid_grant", got.Status, got.Raw)
	}
	if h.active("rp", first.get("access_token")) || h.active("rp", first.get("refresh_token")) ||
		h.userinfo(first.get("access_token")).Status != http.StatusUnauthorized ||
		h.post(h.p.Grants.Token, "rp", refreshOf(first.get("refresh_token"))).get("error") != "invalid_grant" {
		t.Error("tokens of the first use are still valid")
	}
	if h.events(mfa.EventCodeReplayed) != 1 {
		t.Errorf("%d events of the replay, want 1", h.events(mfa.EventCodeReplayed))
	}
}

// Edge 2 and O-2.
func TestOfTwentyRedemptionsOneSucceeds(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, _ := h.signIn(params("rp", "scope", "openid offline_access"), "ada")
	replies := parallel(20, func() reply { return h.post(h.p.Grants.Token, "rp", redeem(code)) })
	good := count(t, replies, "invalid_grant")
	if len(good) != 1 {
		t.Fatalf("%d redemptions succeeded, want 1", len(good))
	}
	if h.active("rp", good[0].get("access_token")) {
		t.Error("the grant is valid though its code was used twenty times")
	}
}

func TestADisabledUserGetsNoTokens(t *testing.T) { noTokens(t, storage.UserDisabled) }

// A pending user has proven no factor and gets no tokens, even if storage has a grant.
func TestAPendingUserGetsNoTokens(t *testing.T) { noTokens(t, storage.UserPending) }

func noTokens(t *testing.T, off storage.UserStatus) {
	h := newFixture(t)
	h.client("rp")
	user := h.user("ada", "")
	first := h.tokensFor("rp", "ada", "openid offline_access")
	code, _ := h.signIn(params("rp"), "ada")
	h.ok(h.engine.UpdateUser(h.ctx, storage.UserChange{ID: user.ID, Status: &off, Now: h.now()}))
	for name, got := range map[string]reply{"code": h.post(h.p.Grants.Token, "rp", redeem(code)),
		"refresh": h.post(h.p.Grants.Token, "rp", refreshOf(first.get("refresh_token")))} {
		if got.get("error") != "invalid_grant" {
			t.Errorf("%s = %d %s, want invalid_grant", name, got.Status, got.Raw)
		}
	}
	if h.active("rp", first.get("access_token")) || h.userinfo(first.get("access_token")).Status != 401 {
		t.Error("the access token is still valid")
	}
}

func TestLogoutEndsGrantsWithoutOfflineAccess(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, s := h.signIn(params("rp", "scope", "openid"), "ada")
	online := h.post(h.p.Grants.Token, "rp", redeem(code))
	offline := h.post(h.p.Grants.Token, "rp", redeem(h.values(h.begin(params("rp", "scope", "openid offline_access"), s).Finished.Answer).Get("code")))
	late := h.values(h.begin(params("rp"), s).Finished.Answer).Get("code")
	if online.get("refresh_token") == "" || offline.get("refresh_token") == "" {
		t.Fatal("a refresh token is missing")
	}
	h.ok(h.sessions.End(h.ctx, s, h.visit, ""))
	if h.active("rp", online.get("access_token")) || h.post(h.p.Grants.Token, "rp", refreshOf(online.get("refresh_token"))).get("error") != "invalid_grant" {
		t.Error("the grant of the session is still valid")
	}
	if !h.active("rp", offline.get("access_token")) || h.post(h.p.Grants.Token, "rp", refreshOf(offline.get("refresh_token"))).Status != 200 {
		t.Error("the offline grant ended with the session")
	}
	if got := h.post(h.p.Grants.Token, "rp", redeem(late)); got.get("error") != "invalid_grant" {
		t.Errorf("a code of the ended session = %d, want invalid_grant", got.Status)
	}
}

func TestAlgorithmsPerClient(t *testing.T) {
	h := newFixture(t, "RS256", "PS256", "ES256", "EdDSA")
	h.user("ada", "")
	for _, alg := range []string{"", "RS256", "PS256", "ES256", "EdDSA"} {
		id := storage.ClientID("rp" + alg)
		h.client(id, func(c *storage.Client) { c.IDTokenAlg = alg })
		got := h.tokensFor(id, "ada", "openid")
		want := alg
		if want == "" {
			want = "RS256"
		}
		claims, header := h.readJWT(got.get("id_token"))
		_, access := h.readJWT(got.get("access_token"))
		if header.Algorithm != want || access.Algorithm != want || header.KeyID == "" {
			t.Errorf("%q: signed with %s and %s, want %s", alg, header.Algorithm, access.Algorithm, want)
		}
		if claims["at_hash"] != signing.HalfHash(want, got.get("access_token")) {
			t.Errorf("%q: at_hash = %v", alg, claims["at_hash"])
		}
	}
	if size := len(signing.HalfHash("EdDSA", "x")); size != 43 {
		t.Errorf("at_hash of EdDSA has %d characters, want 43 (half of SHA-512)", size)
	}
}
