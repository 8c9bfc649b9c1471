package provider

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sallyport/provider/oauth"
	"sallyport/storage"
)

// Conformance (Protected resources): RFC 9728 2, 3.3, 4, 5.1: the userinfo endpoint is a resource with metadata, which its refusals and discovery name, and takes tokens for it
func TestUserinfoIsAProtectedResource(t *testing.T) {
	h := newFixture(t)
	h.client("rp")
	h.user("ada", "")
	const resource = issuer + "/userinfo"
	var metadata struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
	}
	h.ok(json.Unmarshal(h.p.UserinfoMetadata().Body, &metadata))
	if metadata.Resource != resource || !slices.Equal(metadata.Servers, []string{issuer}) || slices.Contains(metadata.Scopes, "offline_access") {
		t.Errorf("metadata = %s", h.p.UserinfoMetadata().Body)
	}
	var discovery struct {
		Resources []string `json:"protected_resources"`
	}
	h.ok(json.Unmarshal(h.p.Discovery().Body, &discovery))
	if !slices.Equal(discovery.Resources, []string{resource}) {
		t.Errorf("discovery lists %v", discovery.Resources)
	}
	want := `resource_metadata="` + issuer + `/.well-known/oauth-protected-resource/userinfo"`
	for path, named := range map[string]bool{"/userinfo": true, "/users-srv/userinfo": false} {
		for _, token := range []string{"", "wrong"} {
			q := httptest.NewRequest(http.MethodGet, path, nil)
			if token != "" {
				q.Header.Set("Authorization", "Bearer "+token)
			}
			r := h.call(h.p.Introspection.Userinfo, q)
			if got := strings.Contains(strings.Join(r.Header.Values("WWW-Authenticate"), "\n"), want); got != named {
				t.Errorf("%s with token %q: %q", path, token, r.Header.Values("WWW-Authenticate"))
			}
		}
	}
	code, _ := h.signIn(params("rp", "resource", resource), "ada")
	r := h.post(h.p.Grants.Token, "rp", redeem(code))
	claims, _ := h.readJWT(r.get("access_token"))
	if got := h.userinfo(r.get("access_token")); claims["aud"] != resource || got.Status != 200 {
		t.Errorf("aud %v, userinfo %d %s", claims["aud"], got.Status, got.Raw)
	}
}

func TestResourcesAreComparedAsStringsButForASlash(t *testing.T) {
	registered := []string{"https://api.example", "https://slash.example/", "https://api.example/mcp", "urn:api"}
	for named, want := range map[string]string{
		"https://api.example": "https://api.example", "https://api.example/": "https://api.example", "https://slash.example": "https://slash.example/", "https://api.example/mcp": "https://api.example/mcp",
		"urn:api": "urn:api", "https://api.example/mcp/": "", "https://api.example//": "", "https://API.example": "", "https://api.example:443": "", "https://api.example/?": "", "https://api.example#": "",
		"http://api.example": "", "https://api.example.evil.example": "", "": "",
	} {
		got, ok := oauth.Resources(registered, []string{named})
		if ok != (want != "") || ok && !slices.Equal(got, []string{want}) {
			t.Errorf("%q: %v %v, want %q", named, got, ok, want)
		}
	}
	// The audience is what is registered, at the token endpoint too.
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) { c.Audience = registered })
	h.user("ada", "")
	code, _ := h.signIn(params("rp", "resource", "https://api.example/"), "ada")
	r := h.post(h.p.Grants.Token, "rp", redeem(code, "resource", "https://api.example/"))
	if claims, _ := h.readJWT(r.get("access_token")); claims["aud"] != "https://api.example" {
		t.Errorf("aud = %v", claims["aud"])
	}
}

// Conformance (Protected resources): RFC 8707 2, 3: users who are asked see where the client will use its access
func TestConsentNamesTheResource(t *testing.T) {
	h := newFixture(t)
	h.client("rp", func(c *storage.Client) {
		c.Consent, c.Audience = "ask", []string{"https://api.example/orders", "https://api.example/stock", issuer + "/orders", issuer}
	})
	h.user("ada", "")
	for want, in := range map[string][]string{
		"https://api.example/orders":                           {"resource", "https://api.example/orders"},
		"https://api.example/stock https://api.example/orders": {"resource", "https://api.example/stock", "resource", "https://api.example/orders"},
		// On the server's own host there can be others.
		issuer + "/orders": {"resource", issuer + "/orders", "resource", issuer},
		"":                 {"resource", issuer + "/userinfo"},
	} {
		b := h.begin(params("rp", in[:2]...), nil)
		if len(in) > 2 {
			values := params("rp", in[:2]...)
			values.Add(in[2], in[3])
			b = h.begin(values, nil)
		}
		h.enter(b.Request, "ada", nil)
		if st := h.next(b.Request, nil); st.Kind != StepConsent || strings.Join(st.Resources, " ") != want {
			t.Errorf("step %s names %q, want %q", st.Kind, st.Resources, want)
		}
	}
}

// Conformance (Protected resources): RFC 8707 2, 3: a remembered consent is for the resources that the user was shown; elsewhere the user is asked
//
// A client that names no resource gets tokens for all of them, which is more than any one.
func TestConsentIsForTheResourcesThatWereShown(t *testing.T) {
	h := newFixture(t)
	const orders, stock = "https://api.example/orders", "https://api.example/stock"
	h.client("asks", func(c *storage.Client) { c.Consent, c.Audience = "ask", []string{orders, stock, issuer} })
	h.user("ada", "")
	c := consenter{fixture: h}
	c.allow(c.at("resource", orders), nil)
	for _, tc := range []struct{ named, asked string }{
		{orders, ""}, {stock, stock}, {stock, ""}, {orders, ""}, {"", ""}, {issuer, ""},
	} {
		st := c.at("resource", tc.named)
		if got := strings.Join(st.Resources, " "); (st.Kind == StepConsent) != (tc.asked != "") || tc.asked != "" && got != tc.asked {
			t.Fatalf("resource %q: step %s names %q, want %q", tc.named, st.Kind, got, tc.asked)
		}
		if tc.asked == "" {
			continue
		}
		if len(st.Scopes) == 0 {
			t.Error("the page for another resource lists no scopes")
		}
		if b := h.begin(params("asks", "resource", tc.named, "prompt", "none"), c.s); b.Answer == nil || h.values(*b.Answer).Get("error") != "consent_required" {
			t.Errorf("prompt=none for %s = %+v, want consent_required", tc.named, b)
		}
		c.allow(st, nil)
	}

	h.user("eve", "") // allows one, and the client then names none
	c = consenter{fixture: h}
	h.client("wide", func(c *storage.Client) { c.Consent, c.Audience = "ask", []string{orders, stock} })
	enter := func(in ...string) Step {
		b := h.begin(params("wide", in...), nil)
		h.enter(b.Request, "eve", nil)
		return h.next(b.Request, nil)
	}
	st := enter("resource", orders)
	h.ok(h.p.Allow(h.ctx, st, h.visit, nil))
	h.finish(st.Request.ID, nil)
	if st := enter(); st.Kind != StepConsent || len(st.Resources) != 2 {
		t.Errorf("without resource: step %s names %q, want consent to both", st.Kind, st.Resources)
	}
}
