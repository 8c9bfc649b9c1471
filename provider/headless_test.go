package provider

import (
	"testing"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

func TestOwnLoginPageOfAClient(t *testing.T) {
	for _, tc := range []struct{ page, want string }{
		{"", ""},
		{"https://app.example/login", "https://app.example/login?requestId=r-1"},
		{"https://app.example/login?a=b#top", "https://app.example/login?a=b&requestId=r-1#top"},
	} {
		c := clients.New(storage.Client{LoginURL: tc.page, HeadlessLogin: true})
		if got := loginPage(storage.AuthRequest{ID: "r-1"}, c); got != tc.want {
			t.Errorf("loginPage(%q) = %q, want %q", tc.page, got, tc.want)
		}
		c.HeadlessLogin = false
		if got := loginPage(storage.AuthRequest{ID: "r-1"}, c); got != "" {
			t.Errorf("loginPage(%q) without headless login = %q, want the hosted page", tc.page, got)
		}
	}
}

// Tokens have no verifier that protects them. A caller who has seen the ID of a headless login
// must not be able to fetch them as soon as its user finishes.
func TestTokensReachOnlyTheBrowserOfALogin(t *testing.T) {
	for _, tc := range []struct{ responseType, want string }{{"token", "not_allowed"}, {"code id_token", "not_allowed"}, {"code", ""}} {
		t.Run(tc.responseType, func(t *testing.T) {
			h := newFixture(t)
			h.legacy("spa", "token", "code id_token")
			h.client("spa", public, func(c *storage.Client) {
				c.HeadlessLogin, c.LegacyResponseTypes = true, []string{"token", "code id_token"}
			})
			h.user("ada", "")
			program := mfa.Caller{}
			opened, err := h.p.Open(h.ctx, params("spa", "response_type", tc.responseType), program)
			h.ok(err)
			for name, id := range map[string]storage.RequestID{"of a browser": h.begin(params("spa", "response_type", tc.responseType), nil).Request, "of a program": opened} {
				st := h.outside(id, "ada")
				h.ok(h.verifier.Password(h.ctx, program, st.Login, password))
				st, err := h.p.Next(h.ctx, st.Again())
				h.ok(err)
				want := tc.want
				if name == "of a browser" {
					want = "not_allowed" // a code, too: the login ends where it began
				}
				if _, err := h.p.Finish(h.ctx, st, program, nil); codeOf(err) != want {
					t.Errorf("a login %s without its cookie = %q, want %q", name, codeOf(err), want)
				}
				if want == "" {
					continue
				}
				h.ok(h.p.Adopt(h.ctx, st, h.visit))
				if _, q := h.finish(st.Request.ID, nil); q.Get("access_token") == "" && q.Get("id_token") == "" && q.Get("code") == "" {
					t.Errorf("its browser got %v, want tokens", q)
				}
			}
		})
	}
}
