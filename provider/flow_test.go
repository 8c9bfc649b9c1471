package provider

import (
	"net/http"
	"strings"
	"testing"

	"sallyport/provider/signing"
	"sallyport/storage"
)

// Conformance (OpenID Connect): Core 2, 3.1.3.3, 3.1.3.6, 5.4, RFC 7636 4: modules oidcc-server, oidcc-idtoken-signature, oidcc-ensure-request-with-valid-pkce-succeeds: the ID token is signed with a published key, and has `at_hash` and no claim of a scope
func TestALoginEndsInTokens(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	user := h.user("ada", "")
	code, _ := h.signIn(params("rp", "scope", "openid email offline_access"), "ada")
	got := h.post(h.p.Grants.Token, "rp", redeem(code))
	if got.Status != http.StatusOK {
		t.Fatalf("token = %d %s, want 200", got.Status, got.Raw)
	}
	if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers = %v, want no-store and JSON", got.Header)
	}
	if got.get("token_type") != "Bearer" || got.Body["expires_in"] != 600.0 || got.get("scope") != "openid email offline_access" {
		t.Errorf("body = %s, want Bearer, 600 s and the scope", got.Raw)
	}
	if !strings.HasPrefix(got.get("refresh_token"), "sp_rt_") {
		t.Errorf("refresh token = %q, want the prefix sp_rt_", got.get("refresh_token"))
	}
	id, header := h.readJWT(got.get("id_token"))
	if id["sub"] != string(user.ID) || id["nonce"] != "the-nonce" || id["acr"] != "aal1" || id["aud"] != "rp" || header.ExtraHeaders["typ"] != "JWT" {
		t.Errorf("ID token = %v %v", id, header)
	}
	if id["at_hash"] != signing.HalfHash("ES256", got.get("access_token")) {
		t.Errorf("at_hash = %v", id["at_hash"])
	}
	for _, none := range []string{"rat", "grant_id", "email"} {
		if _, there := id[none]; there {
			t.Errorf("the ID token holds %s", none)
		}
	}
	access, header := h.readJWT(got.get("access_token"))
	if header.ExtraHeaders["typ"] != "at+jwt" || access["client_id"] != "rp" || access["aud"] != "rp" || access["scope"] != "openid email offline_access" ||
		access["iat"] != float64(h.now().Unix()) || access["exp"] != float64(h.now().Unix()+600) || access["sid"] == nil || access["jti"] == nil {
		t.Errorf("access token = %v %v", access, header)
	}
	info := h.userinfo(got.get("access_token"))
	if info.Status != http.StatusOK || info.get("email") != "ada@example.org" || info.Body["email_verified"] != true || info.get("sub") != string(user.ID) {
		t.Errorf("userinfo = %d %s", info.Status, info.Raw)
	}
	if !h.active("rp", got.get("access_token")) || !h.active("rp", got.get("refresh_token")) {
		t.Error("tokens are not active, want active")
	}
}

func TestASessionFinishesALoginImmediately(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.client("other")
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	before := h.engine.Stats()
	b := h.begin(params("other"), s)
	after := h.engine.Stats()
	if b.Finished == nil || b.Request != "" {
		t.Fatalf("begun = %+v, want it finished", b)
	}
	if commits := after.Commits - before.Commits; commits != 1 {
		t.Errorf("%d commits, want 1", commits)
	}
	if code := h.values(b.Finished.Answer).Get("code"); h.post(h.p.Grants.Token, "other", redeem(code)).Status != http.StatusOK {
		t.Error("the code is not good")
	}
	if b.Finished.Session != nil {
		t.Error("the session is stored again though nothing was proven")
	}
}

func TestTheBudgetOfTheTokenEndpoint(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	code, _ := h.signIn(params("rp"), "ada")
	for _, tc := range []struct {
		name    string
		call    func() reply
		commits int64
	}{
		{"code exchange", func() reply { return h.post(h.p.Grants.Token, "rp", redeem(code)) }, 1},
		{"client credentials", func() reply { return h.post(h.p.Grants.Token, "rp", formOf("grant_type", "client_credentials")) }, 0},
	} {
		before := h.engine.Stats()
		got := tc.call()
		after := h.engine.Stats()
		if got.Status != http.StatusOK {
			t.Fatalf("%s = %d %s, want 200", tc.name, got.Status, got.Raw)
		}
		if commits := after.Commits - before.Commits; commits != tc.commits {
			t.Errorf("%s: %d commits, want %d", tc.name, commits, tc.commits)
		}
	}
}

func TestFormPostAndFragment(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.RedirectURIs = append(c.RedirectURIs, callback+"?a=1") })
	h.user("ada", "")
	_, s := h.signIn(params("rp"), "ada")
	post := h.begin(params("rp", "response_mode", "form_post"), s).Finished.Answer
	if post.Location != "" || post.FormPost == nil || post.FormPost.Action != callback || len(post.FormPost.Fields) != 3 ||
		post.FormPost.Fields[1] != [2]string{"state", "the-state"} || post.FormPost.Fields[2] != [2]string{"iss", issuer} {
		t.Errorf("form_post = %+v", post.FormPost)
	}
	if got := h.begin(params("rp", "response_mode", "fragment"), s).Finished.Answer.Location; !strings.HasPrefix(got, callback+"#code=") {
		t.Errorf("fragment = %q", got)
	}
	if got := h.begin(params("rp", "redirect_uri", callback+"?a=1"), s).Finished.Answer.Location; !strings.HasPrefix(got, callback+"?a=1&code=") {
		t.Errorf("query = %q", got)
	}
	refused := h.begin(params("rp", "response_mode", "form_post", "scope", "nonsense"), s).Answer
	if refused.FormPost == nil || refused.FormPost.Fields[0] != [2]string{"error", "invalid_scope"} {
		t.Errorf("refusal = %+v, want invalid_scope as a form", refused.FormPost)
	}
}
