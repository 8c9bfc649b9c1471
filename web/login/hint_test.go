package login

import (
	"net/http"
	"strings"
	"testing"
)

// Addresses end in logs and histories. A token that came in a form stays in forms, and
// the login goes on in the session of the browser all the same.
func TestATokenOfAFormIsNeverPutIntoAnAddress(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	h.user("ada", "")
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	token := h.idToken(b.mustLeave())
	kept := b.cookies
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
			h.t = t
			b := h.browser() // a form of the client's site comes without our cookies
			b.post("/authorize", authorizeParams(tc.changes...))
			b.must("/authorize", http.StatusOK, `id="form-post"`)
			if len(b.cookies) != 0 {
				t.Errorf("got cookies %v, want the browser's left alone", b.cookies)
			}
			b.cookies = tc.cookies
			b.submit("form-post")
			if tc.at == "" {
				b.mustCode()
				return
			}
			b.must(tc.at, http.StatusOK)
		})
	}
}

func TestAnAccessTokenIsNoHintInAnAddress(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	h.user("ada", "")
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	b.mustCode()
	b.get("/logout?access_token_hint=the-token")
	b.must("/logout", http.StatusOK, `id="logout-confirm"`)
	if strings.Contains(b.page.Body.String(), "the-token") {
		t.Error("the page holds the token of its address")
	}
	b.cookies = map[string]string{} // a form of the client's site: asked by a page that keeps what it was told
	b.post("/logout", map[string][]string{"access_token_hint": {"the-token"}})
	b.must("/logout", http.StatusOK, `name="access_token_hint" value="the-token"`)
	b.submit("logout-confirm")
	b.must("/logged-out", http.StatusOK) // the token proves nothing, but nobody is signed in
	b.post("/logout", map[string][]string{"access_token_hint": {"the-token"}})
	b.must("/logout", http.StatusOK, `id="logout-confirm"`)
}
