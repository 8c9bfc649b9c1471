package provider

import (
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
)

// What a program may open, and which browser may go on with it.
func TestALoginOfAProgramIsAdoptedOnce(t *testing.T) {
	h := newHouse(t)
	h.client("headless", public, func(c *storage.Client) {
		c.HeadlessLogin, c.AllowedOrigins = true, []string{"https://app.example"}
	})
	h.client("rp")
	h.user("ada", "")
	program := mfa.Visit{Origin: "https://app.example", Browser: strings.Repeat("x", 43)}
	if _, err := h.p.Open(h.ctx, params("rp"), program); codeOf(err) != "page:unauthorized_client:client_id" {
		t.Errorf("Open without headless login = %q", codeOf(err))
	}
	if _, err := h.p.Open(h.ctx, params("headless", "opened_alone", "0", "scope", "root"), program); codeOf(err) != "page:invalid_scope:" {
		t.Errorf("Open with an unknown scope = %q", codeOf(err))
	}
	id, err := h.p.Open(h.ctx, params("headless"), program)
	h.ok(err)
	look := func(v mfa.Visit) (Step, string) {
		st, err := h.p.Next(h.ctx, Ask{Request: id, Identifier: "ada", Visit: v, Program: true})
		return st, codeOf(err)
	}
	st, _ := look(program)
	if !st.Unbound() || st.LoginPage != "" {
		t.Errorf("step = %+v, want an unbound request", st)
	}
	h.ok(h.verifier.Login(h.ctx, program, st.Proving, password))
	st, _ = look(program)
	for referer, want := range map[string]string{"": "not_allowed", "https://evil.example/https://app.example": "not_allowed",
		"https://app.example@evil.example/": "not_allowed", "https://app.example/signin?x": ""} {
		if err := h.p.Adopt(h.ctx, st, h.visit, referer); codeOf(err) != want {
			t.Errorf("Adopt from %q = %q, want %q", referer, codeOf(err), want)
		}
	}
	other := mfa.Visit{Browser: strings.Repeat("c", 43)}
	if err := h.p.Adopt(h.ctx, st, other, "https://app.example/"); codeOf(err) != "unknown_request" {
		t.Errorf("a second Adopt = %q, want unknown_request", codeOf(err))
	}
	for name, v := range map[string]mfa.Visit{"the program": {Origin: "https://app.example"}, "another browser": other} {
		if _, got := look(v); got != "unknown_request" {
			t.Errorf("%s = %q, want unknown_request", name, got)
		}
	}
	if st, got := look(h.visit); got != "" || st.Kind != StepDone {
		t.Errorf("its browser = %q at %q", got, st.Kind)
	}
	if got := h.events(mfa.EventLoginAdopted); got != 1 {
		t.Errorf("%d adoptions in the audit trail, want 1", got)
	}
	// Nothing was proven when a browser came by; now it is, and nobody's page led here.
	id, err = h.p.Open(h.ctx, params("headless"), program)
	h.ok(err)
	early, _ := look(program)
	h.ok(h.verifier.Login(h.ctx, program, early.Proving, password))
	if err := h.p.Adopt(h.ctx, early, other, ""); codeOf(err) != "unknown_request" {
		t.Errorf("Adopt of a login that was proven meanwhile = %q, want unknown_request", codeOf(err))
	}
	// One that began in a browser is nobody's to adopt.
	begun := h.next(h.begin(params("headless"), nil).Request, nil)
	if err := h.p.Adopt(h.ctx, begun, h.visit, "https://app.example/"); codeOf(err) != "unknown_request" {
		t.Errorf("Adopt of a bound request = %q, want unknown_request", codeOf(err))
	}
}

func TestOwnLoginPageOfAClient(t *testing.T) {
	for _, tc := range []struct{ page, want string }{
		{"", ""},
		{"https://app.example/login", "https://app.example/login?requestId=r-1"},
		{"https://app.example/login?a=b#top", "https://app.example/login?a=b&requestId=r-1#top"},
	} {
		c := newClient(storage.Client{LoginURL: tc.page, HeadlessLogin: true})
		if got := loginPage(storage.AuthRequest{ID: "r-1"}, c); got != tc.want {
			t.Errorf("loginPage(%q) = %q, want %q", tc.page, got, tc.want)
		}
		c.HeadlessLogin = false
		if got := loginPage(storage.AuthRequest{ID: "r-1"}, c); got != "" {
			t.Errorf("loginPage(%q) without headless login = %q, want ours", tc.page, got)
		}
	}
}

// Tokens have no verifier that protects them. Whoever has seen the ID of a headless login
// must not be able to fetch them as soon as its user is through.
func TestTokensAreToldToTheBrowserOfALoginAlone(t *testing.T) {
	for _, tc := range []struct{ asked, want string }{{"token", "not_allowed"}, {"code id_token", "not_allowed"}, {"code", ""}} {
		t.Run(tc.asked, func(t *testing.T) {
			h := newHouse(t)
			h.legacy("spa", "token", "code id_token")
			h.client("spa", public, func(c *storage.Client) {
				c.HeadlessLogin, c.LegacyResponseTypes = true, []string{"token", "code id_token"}
			})
			h.user("ada", "")
			program := mfa.Visit{}
			opened, err := h.p.Open(h.ctx, params("spa", "response_type", tc.asked), program)
			h.ok(err)
			for name, id := range map[string]storage.RequestID{"of a browser": h.begin(params("spa", "response_type", tc.asked), nil).Request, "of a program": opened} {
				st, err := h.p.Next(h.ctx, Ask{Request: id, Identifier: "ada", Visit: program, Program: true})
				h.ok(err)
				h.ok(h.verifier.Login(h.ctx, program, st.Proving, password))
				st, err = h.p.Next(h.ctx, Ask{Request: id, Visit: program, Program: true})
				h.ok(err)
				if _, err := h.p.Finish(h.ctx, st, program, nil); codeOf(err) != tc.want {
					t.Errorf("a login %s without its cookie = %q, want %q", name, codeOf(err), tc.want)
				}
				if tc.want == "" {
					continue
				}
				if st.Unbound() {
					h.ok(h.p.Adopt(h.ctx, st, h.visit, callback))
				}
				if _, q := h.finish(id, nil); q.Get("access_token") == "" && q.Get("id_token") == "" {
					t.Errorf("its browser got %v, want tokens", q)
				}
			}
		})
	}
}
