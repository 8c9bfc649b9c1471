package cidaas

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sallyport/storage"
	"sallyport/web/webtest"
)

// generated opens a login by a call of the application's page, for a client whose response may
// have tokens.
func generated(t *testing.T, responseType string, changes ...func(*storage.Client)) (*fixture, string) {
	t.Helper()
	h := newFixture(t)
	h.client(append(changes, func(c *storage.Client) { c.LegacyResponseTypes = []string{"token", "id_token token"} })...)
	h.User("ada", totpKey)
	w := h.is(h.page().json("/authz-srv/authrequest/authz/generate", flat(authorizeParams("response_type", responseType))...), http.StatusOK)
	return h, h.at(w, "data.requestId")
}

// A login opened by a call, without a browser, ends in the browser whose page posts the form of
// its proof: a post from another site has no cookies, and nothing needs a Referer.
func TestAGeneratedLoginEndsInTheBrowserThatPostsItsForm(t *testing.T) {
	for _, responseType := range []string{"token", "id_token token", "code"} {
		want := callback + "#access_token="
		if responseType == "code" {
			want = callback + "?"
		}
		for name, tc := range map[string]struct {
			client func(*storage.Client)
			post   func(h *fixture, page *caller, request string) string // returns where it led
		}{
			"by a password": {func(*storage.Client) {}, func(h *fixture, page *caller, request string) string {
				w := page.form("/login-srv/login", "requestId", request, "username", "ada", "password", password)
				return h.arrive(page, w)
			}},
			"by a code in place of one": {func(*storage.Client) {}, func(h *fixture, page *caller, request string) string {
				s := h.passwordlessIn(page, "ada", request)
				h.is(s.verify(), http.StatusOK)
				return h.arrive(page, s.finish())
			}},
			"by two factors": {always, func(h *fixture, page *caller, request string) string {
				w := page.form("/login-srv/login", "requestId", request, "username", "ada", "password", password)
				q := h.query(w.Header().Get("Location"), app+"/login?")
				if got := page.calledSecond(request, "sub", q.Get("sub")); got != http.StatusOK {
					t.Fatalf("the calls: %d", got)
				}
				return h.arrive(page, page.form("/login-srv/precheck/continue/"+q.Get("track_id"), "track_id", q.Get("track_id")))
			}},
		} {
			t.Run(responseType+", "+name, func(t *testing.T) {
				h, request := generated(t, responseType, tc.client)
				if to := tc.post(h, h.page(), request); !strings.HasPrefix(to, want) || strings.Contains(to, "error=") {
					t.Errorf("led to %q, want %s", to, want)
				}
			})
		}
	}
}

// arrive follows a redirect after a form as the browser of its page.
func (h *fixture) arrive(page *caller, w *httptest.ResponseRecorder) string {
	h.T.Helper()
	h.is(w, http.StatusSeeOther)
	browser := h.browser()
	browser.cookies.Take(w)
	_, to := browser.follow(w)
	return to
}

// Only the browser that posted the form ends the login, and only once.
func TestAGeneratedLoginEndsInNoOtherBrowser(t *testing.T) {
	post := func(h *fixture, c *caller, request string) *httptest.ResponseRecorder {
		return c.form("/login-srv/login", "requestId", request, "username", "ada", "password", password)
	}
	leads := func(t *testing.T, what string, c *caller, w *httptest.ResponseRecorder) {
		t.Helper()
		if _, to := c.follow(w); strings.Contains(to, "access_token") || strings.HasPrefix(to, callback) {
			t.Errorf("%s: led to %s", what, to)
		}
	}
	t.Run("whoever has the address alone", func(t *testing.T) {
		h, request := generated(t, "token")
		w := h.is(post(h, h.page(), request), http.StatusSeeOther)
		leads(t, "without the cookie of the response", h.browser(), w)
		for _, at := range []string{"/continue", "/login", "/mfa", "/consent"} {
			b := h.browser()
			leads(t, at, b, b.do("GET", at+"?requestId="+request, "", ""))
		}
		if to := h.arrive(h.page(), w); !strings.Contains(to, "access_token") {
			t.Errorf("its own browser is led to %q afterwards", to)
		}
	})
	t.Run("a second browser with the same response", func(t *testing.T) {
		h, request := generated(t, "token")
		w := h.is(post(h, h.page(), request), http.StatusSeeOther)
		h.arrive(h.page(), w)
		second := h.browser()
		second.cookies.Take(w)
		leads(t, "the second browser", second, w)
	})
	t.Run("a program, or a page that is not the client's", func(t *testing.T) {
		h, request := generated(t, "token")
		for _, origin := range []string{"", "https://evil.example", "null"} {
			c := &caller{h: h, cookies: webtest.Jar{}, header: http.Header{}}
			if origin != "" {
				c.header.Set("Origin", origin)
			}
			leads(t, "origin "+origin, c, post(h, c, request))
		}
	})
	t.Run("a browser that another login belongs to", func(t *testing.T) {
		h, request := generated(t, "token")
		w := h.is(post(h, h.page(), request), http.StatusSeeOther)
		victim := h.browser()
		own, _ := victim.begin()
		victim.cookies.Take(w) // planted
		leads(t, "its own login", victim, victim.do("GET", "/continue?requestId="+own, "", ""))
	})
}
