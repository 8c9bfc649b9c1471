package cidaas

import (
	"net/http"
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
)

// calledSecond proves a second factor by calls alone, and returns the status of the last.
func (c *caller) calledSecond(request string, whose ...string) int {
	c.h.T.Helper()
	w := c.json("/verification-srv/v2/authenticate/initiate/totp", append([]string{"usage_type", "MULTIFACTOR_AUTHENTICATION", "request_id", request}, whose...)...)
	if w.Code != http.StatusOK {
		return w.Code
	}
	return c.json("/verification-srv/v2/authenticate/authenticate/totp", "exchange_id", c.h.at(w, "data.exchange_id.exchange_id"),
		"pass_code", c.h.Code(totpKey)).Code
}

// A code that a page has verified by calls is not asked for again on the server's pages,
// whatever the settings of the client.
func TestAFactorVerifiedByCallsCountsOnTheServersPages(t *testing.T) {
	for name, changes := range map[string][]func(*storage.Client){
		"a client without pages of its own":            {always, bound},
		"a client with calls from other sites":         {always, func(c *storage.Client) { c.LoginURL = "" }},
		"a client with calls and pages on other sites": {always},
	} {
		for _, at := range []string{"/continue", "/mfa"} {
			t.Run(name+", "+at, func(t *testing.T) {
				h := newFixture(t)
				h.client(changes...)
				h.User("ada", totpKey)
				b := h.browser()
				request, _ := b.begin()
				h.is(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther)
				page := h.is(b.do("GET", "/mfa?requestId="+request, "", ""), http.StatusOK)
				if !strings.Contains(page.Body.String(), `id="mfa-submit"`) {
					t.Fatal("no second factor is asked for")
				}
				if got := b.calledSecond(request, "identifier", "ada"); got != http.StatusOK {
					t.Fatalf("the calls: %d", got)
				}
				_, to := b.follow(b.do("GET", at+"?requestId="+request, "", ""))
				if _, claims := h.claims(h.mustCode(to)); claims["acr"] != "aal2" {
					t.Errorf("acr = %v, want aal2", claims["acr"])
				}
			})
		}
	}
}

// A factor set up by calls counts as well.
func TestAFactorSetUpByCallsCountsOnTheServersPages(t *testing.T) {
	for _, at := range []string{"/continue", "/enroll"} {
		h := newFixture(t)
		h.client(always, bound)
		h.User("ada", "")
		b := h.browser()
		request, _ := b.begin()
		h.is(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther)
		track, err := h.track(request, b)
		h.OK(err)
		m := senders[0]
		began := h.is(b.json("/verification-actions-srv/setup/"+m.method+"/initiation/"+track, m.member, m.typed), http.StatusOK)
		h.is(b.json("/verification-actions-srv/setup/"+m.method+"/verification", "exchange_id", h.at(began, "data.exchange_id.exchange_id"),
			"pass_code", h.code(m.address)), http.StatusOK)
		_, to := b.follow(b.do("GET", at+"?requestId="+request, "", ""))
		if _, claims := h.claims(h.mustCode(to)); claims["acr"] != "aal2" {
			t.Errorf("%s: acr = %v, want aal2", at, claims["acr"])
		}
	}
}

// Nothing that someone else proved for a request counts in its browser, and neither does a
// first factor that the browser does not name.
func TestTheServersPagesClaimNothingOfOthers(t *testing.T) {
	atPage := func(t *testing.T, b *caller, at, request, want string) {
		t.Helper()
		w, to := b.follow(b.do("GET", at+"?requestId="+request, "", ""))
		if to != "" || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s led to %q at %d, want %s", at, to, w.Code, want)
		}
	}
	hosted := func(c *storage.Client) { c.LoginURL = "" }
	t.Run("a first factor from elsewhere", func(t *testing.T) {
		h := newFixture(t)
		h.client(hosted)
		h.User("mallory", totpKey)
		b := h.browser()
		request, _ := b.begin()
		h.is(h.passwordlessIn(h.program(), "mallory", request).verify(), http.StatusOK)
		atPage(t, b, "/continue", request, `id="login-submit"`)
	})
	t.Run("a first factor of whoever used the browser before", func(t *testing.T) {
		h := newFixture(t)
		h.client(bound)
		h.User("ada", totpKey)
		b := h.browser()
		s := h.passwordless(b, "ada")
		h.is(s.verify(), http.StatusOK)
		atPage(t, b, "/continue", s.request, `id="login-submit"`)
	})
	t.Run("the second factor of a login detached from it", func(t *testing.T) {
		h := newFixture(t)
		h.client(always, hosted)
		h.User("ada", "")
		h.User("mallory", totpKey)
		b, thief := h.browser(), h.program()
		request, _ := b.begin()
		w := thief.json("/login-srv/login/sdk", "requestId", request, "username", "mallory", "password", password)
		sub := h.at(w, "error.sub")
		h.is(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther)
		if got := thief.calledSecond(request, "sub", sub); got != http.StatusOK {
			t.Fatalf("the calls: %d", got)
		}
		atPage(t, b, "/continue", request, `id="enroll`)
		atPage(t, b, "/enroll", request, `id="enroll`)
	})
	t.Run("a second factor of another user's name", func(t *testing.T) {
		h := newFixture(t)
		h.client(always, bound)
		h.User("ada", totpKey)
		h.User("mallory", totpKey)
		b := h.browser()
		request, _ := b.begin()
		h.is(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther)
		for _, c := range []*caller{b, h.program(), h.page(), h.browser()} {
			if got := c.calledSecond(request, "identifier", "mallory"); got == http.StatusOK {
				t.Error("another user's factor was verified")
			}
		}
		atPage(t, b, "/continue", request, `id="mfa-submit"`)
	})
	t.Run("one that was verified before the user changed", func(t *testing.T) {
		h := newFixture(t)
		h.client(always, bound)
		h.User("ada", totpKey)
		h.User("bob", totpKey)
		b := h.browser()
		request, _ := b.begin()
		h.is(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther)
		if got := b.calledSecond(request, "identifier", "ada"); got != http.StatusOK {
			t.Fatalf("the calls: %d", got)
		}
		st, err := h.step(request, b)
		h.OK(err)
		h.OK(h.Provider.Restart(t.Context(), st, mfa.Caller{}))
		atPage(t, b, "/continue", request, `id="login-submit"`)
		h.is(b.form("/login-srv/login", "requestId", request, "username", "bob", "password", password), http.StatusSeeOther)
		atPage(t, b, "/continue", request, `id="mfa-submit"`)
	})
}
