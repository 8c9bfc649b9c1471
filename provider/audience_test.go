package provider

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sallyport/storage"
)

const api = "https://api.example"

func resources(names ...string) func(*storage.Client) {
	return func(c *storage.Client) { c.Audience = names }
}

// inspectBy is introspection by a caller who authenticates with a token.
func (h *fixture) inspectBy(bearer, token string) reply {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(formOf("token", token).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+bearer)
	return h.call(h.p.Introspection.IntrospectAsBearer, r)
}

// A resource server that receives a token must not be able to use it at this provider.
func TestTokensAreAcceptedByTheirAudience(t *testing.T) {
	for _, tc := range []struct {
		name     string
		change   func(*storage.Client)
		resource string // of the request
		mine     bool   // accepted here
	}{
		{"the client alone", resources(), "", true},
		{"a resource server, because the client has no other", resources(api), "", false},
		{"a resource server in the request", resources(api, issuer), api, false},
		{"two resource servers", resources(api, "https://two.example"), "", false},
		{"a resource server whose name begins like the issuer", resources(issuer + "/api"), "", false},
		{"another client", resources("other"), "", false},
		{"the issuer in the request", resources(api, issuer), issuer, true},
		{"a resource server and the issuer", resources(api, issuer), "", true},
		{"a resource server and the client", resources(api, "rp"), "", true},
	} {
		for _, format := range []string{"jwt", "opaque"} {
			t.Run(tc.name+", "+format, func(t *testing.T) {
				h := newFixture(t)
				h.client("rp", tc.change, func(c *storage.Client) { c.AccessTokenFormat = format })
				h.client("other")
				h.user("ada", "")
				token, s := h.access("rp", "resource", tc.resource, "scope", "openid email")
				sibling := h.post(h.p.Grants.Token, "rp", redeem(h.values(h.begin(params("rp", "resource", tc.resource), s).Finished.Answer).Get("code"))).get("access_token")

				info := h.userinfo(token)
				if tc.mine != (info.Status == http.StatusOK) || tc.mine != (info.get("email") != "") {
					t.Errorf("userinfo = %d %s, want claims: %v", info.Status, info.Raw, tc.mine)
				}
				challenge := info.Header.Get("WWW-Authenticate")
				if !tc.mine && (info.Status != http.StatusUnauthorized || info.get("error") != "invalid_token" || !strings.Contains(challenge, `error="invalid_token"`)) {
					t.Errorf("userinfo = %d %q %s, want 401 invalid_token", info.Status, challenge, info.Raw)
				}
				if got := h.inspectBy(token, token); got.Status != http.StatusOK || got.Body["active"] != true {
					t.Errorf("introspecting itself = %d %s, want it active", got.Status, got.Raw)
				}
				got := h.inspectBy(token, sibling)
				if tc.mine != (got.Body["active"] == true) || !tc.mine && got.get("error") != "invalid_token" {
					t.Errorf("introspecting another token of the client = %d %s, want it active: %v", got.Status, got.Raw, tc.mine)
				}
				out, err := h.p.EndSession(h.ctx, Params{Form: formOf("access_token_hint", token)}, h.visit, s, false)
				h.ok(err)
				if out.Ended && !tc.mine {
					t.Error("it signs the user out")
				}
			})
		}
	}
}
