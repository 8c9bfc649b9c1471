package login

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Addresses end up in logs and histories. A token that came in a form must stay in forms,
// and the login continues in the session of the browser.
func TestTokenOfAFormIsNeverPutIntoAURL(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	token := h.idToken(b.MustLeave(callback))
	kept := b.Cookies
	for _, tc := range []struct {
		name    string
		cookies map[string]string
		changes []string
		at      string // "": back at the application
	}{
		{"in a browser that is signed in", kept, []string{"id_token_hint", token}, ""},
		{"in a browser that has never been here", map[string]string{}, []string{"id_token_hint", token}, "/login"},
		{"a form too long for an address", kept, []string{"too_long", strings.Repeat("x", longestQuery)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.T = t
			b := h.browser() // a form of the client's site sends no cookies
			b.Post("/authorize", authorizeParams(tc.changes...))
			b.Must("/authorize", http.StatusOK, `id="form-post"`)
			if len(b.Cookies) != 0 {
				t.Errorf("got cookies %v, want the browser's unchanged", b.Cookies)
			}
			b.Cookies = tc.cookies
			b.Submit("form-post")
			if tc.at == "" {
				b.mustCode(t)
				return
			}
			b.Must(tc.at, http.StatusOK)
		})
	}
}

func TestAccessTokenInAURLIsIgnored(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	b.mustCode(t)
	b.Get("/logout?access_token_hint=the-token")
	b.Must("/logout", http.StatusOK, `id="logout-confirm"`)
	if strings.Contains(b.Page.Body.String(), "the-token") {
		t.Error("the page holds the token of its address")
	}
	kept := b.Cookies
	b.Cookies = map[string]string{} // a form of the client's site is resent by a form with the same fields
	b.Post("/logout", map[string][]string{"access_token_hint": {"the-token"}})
	b.Must("/logout", http.StatusOK, `name="access_token_hint" value="the-token"`)
	b.Cookies = kept
	b.Submit("form-post")
	b.Must("/logout", http.StatusOK, `name="access_token_hint" value="the-token"`, `id="logout-confirm"`)
	b.Submit("logout-confirm")
	b.Must("/logged-out", http.StatusOK)
}

// A form of another site must not end the logins of a browser's other tabs: a form without
// the binding cookie never sets one.
func TestForeignFormKeepsTheBinding(t *testing.T) {
	h := newFixture(t)
	for _, to := range []string{"/authorize", "/authorize?x=y", "/authorize?resent=yes"} {
		r := httptest.NewRequest(http.MethodPost, to, strings.NewReader(authorizeParams().Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		if h.Handler.ServeHTTP(w, r); w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s of another site bound the browser", to)
		}
	}
	for _, tc := range []struct {
		name, to, site, accept string
		bound                  bool
		code                   int
	}{
		{"of another site", "/logout", "cross-site", "text/html", false, 200}, // the form that sends it again
		{"of a script of another site", "/logout", "cross-site", "*/*", false, 200},
		{"of a site that knows the server's mark", "/logout?resent=yes", "cross-site", "text/html", false, 200},
		{"in a browser that does not say", "/logout", "", "text/html,*/*;q=0.8", false, 200},
		{"resent by the server's own form", "/logout?resent=yes", "same-origin", "text/html", true, 303},
		{"resent by the server's own form, in a browser that does not say", "/logout?resent=yes", "", "text/html", true, 303},
		{"of a program", "/logout", "", "", false, 303},
	} {
		r := httptest.NewRequest(http.MethodPost, tc.to, strings.NewReader("state=s"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, value := range map[string]string{"Sec-Fetch-Site": tc.site, "Accept": tc.accept} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.Handler.ServeHTTP(w, r)
		if bound := w.Header().Get("Set-Cookie") != ""; bound != tc.bound || w.Code != tc.code {
			t.Errorf("%s: %d with cookie %q, want %d and a cookie: %v", tc.name, w.Code, w.Header().Get("Set-Cookie"), tc.code, tc.bound)
		}
	}
}
