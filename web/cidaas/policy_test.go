package cidaas

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
)

// sometimes is a client that requires the second factor every ten minutes.
func sometimes(c *storage.Client) {
	c.MFA, c.MFAInterval, c.Passwordless, c.MFAURL = "TIME_BASED", 600, false, app+"/mfa"
}

// enter posts name and password and returns where that redirects.
func (c *caller) enter(request string) string {
	c.h.T.Helper()
	_, to := c.follow(c.h.is(c.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther))
	return to
}

// second proves the second factor of a login whose page was opened at an address, and
// continues.
func (c *caller) second(request, at string) string {
	c.h.T.Helper()
	q := c.h.query(at, "")
	if q.Get("error") != "mfa_required" || q.Get("track_id") == "" {
		c.h.T.Fatalf("led to %s, want the page of the second factor", at)
	}
	initiation := c.h.is(c.json("/verification-srv/v2/authenticate/initiate/totp", "usage_type", "MULTIFACTOR_AUTHENTICATION", "request_id", request,
		"sub", q.Get("sub")), http.StatusOK)
	c.h.is(c.json("/verification-srv/v2/authenticate/authenticate/totp", "exchange_id", c.h.at(initiation, "data.exchange_id.exchange_id"),
		"pass_code", c.h.Code(totpKey)), http.StatusOK)
	track := q.Get("track_id")
	_, to := c.follow(c.form("/login-srv/precheck/continue/"+track, "track_id", track))
	return to
}

// A page on another site sends no cookies with its calls, so it has no session: it is opened
// for the password, which its calls will require as well. A page on the server's origin has
// the session and is opened for the missing factor.
func TestSecondFactorAtIntervals(t *testing.T) {
	for _, tc := range []struct {
		name, page string
		error      string // with which the page is opened after the interval
	}{
		{"a page on another site", app + "/login", ""},
		{"a page of this very origin", issuer + "/shop/login", "mfa_required"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFixture(t)
			h.client(sometimes, func(c *storage.Client) {
				if c.LoginURL = tc.page; tc.error != "" {
					c.MFAURL = ""
				}
			})
			h.User("ada", totpKey)
			b := h.browser()
			request, _ := b.begin()
			if _, claims := h.claims(h.mustCode(b.second(request, b.enter(request)))); claims["acr"] != "aal2" {
				t.Errorf("acr = %v, want aal2", claims["acr"])
			}
			authorize := func() string {
				_, to := b.follow(b.do("GET", "/authz-srv/authz?"+authorizeParams().Encode(), "", ""))
				return to
			}
			h.Wait(9 * time.Minute)
			if _, claims := h.claims(h.mustCode(authorize())); claims["acr"] != "aal2" {
				t.Errorf("within the interval acr = %v, want aal2", claims["acr"])
			}
			h.Wait(2 * time.Minute)
			at := authorize()
			q := h.query(at, tc.page)
			if q.Get("error") != tc.error || q.Has("track_id") != (tc.error != "") {
				t.Fatalf("after it led to %s, want error %q", at, tc.error)
			}
			request = q.Get("requestId")
			if tc.error == "" {
				elsewhere := h.page()
				list := h.is(elsewhere.json("/verification-srv/public/graph/user/setup", "request_id", request, "identifier", "ada"), http.StatusOK)
				refused := elsewhere.json("/verification-srv/authentication/totp/initiation", "usage_type", "MULTIFACTOR_AUTHENTICATION",
					"request_id", request, "medium_id", h.at(list, "data.configured_list.0.mediums.0.id"))
				h.is(refused, expectationFailed) // no password was proven to this page
				at = b.enter(request)
			}
			if _, claims := h.claims(h.mustCode(b.second(request, at))); claims["acr"] != "aal2" {
				t.Errorf("acr = %v, want aal2", claims["acr"])
			}
		})
	}
}

// Once a user is identified, a call that names another user is refused; the user's own
// identifiers are interchangeable.
func TestCallNamesTheUserOfItsLogin(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", totpKey)
	h.User("bob", totpKey)
	b := h.browser()
	request, _ := b.begin()
	b.enter(request)
	for _, tc := range []struct {
		name, key, value string
		want             int
	}{
		{"her user name", "username", "ada", http.StatusOK},
		{"her address, as she writes it", "email", " ADA@Example.org ", http.StatusOK},
		{"an unknown user", "identifier", "undefined-ly", expectationFailed},
		{"another user", "email", "bob@example.org", expectationFailed},
		{"another masked subject", "sub", "00000000-0000-0000-0000-000000000001", expectationFailed},
	} {
		for _, path := range []string{"/verification-srv/v2/setup/public/configured/list", "/verification-srv/public/graph/user/setup",
			"/verification-srv/v2/setup/public/configured/check/totp", "/verification-srv/authentication/totp/initiation"} {
			w := b.json(path, "request_id", request, "usage_type", "MULTIFACTOR_AUTHENTICATION", tc.key, tc.value)
			if w.Code != tc.want {
				t.Errorf("%s at %s = %d %s, want %d", tc.name, path, w.Code, w.Body, tc.want)
			}
		}
	}
}

// What the form repeats of its login must agree with the address it is posted to.
func TestFormUsesTheTrackOfItsURL(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", totpKey)
	b := h.browser()
	request, _ := b.begin()
	at := b.enter(request)
	track := h.query(at, app).Get("track_id")
	initiation := b.json("/verification-srv/authentication/totp/initiation", "usage_type", "MULTIFACTOR_AUTHENTICATION", "request_id", request)
	h.is(b.json("/verification-srv/authentication/totp/verification", "exchange_id", h.at(initiation, "data.exchange_id.exchange_id"),
		"passcode", h.Code(totpKey)), http.StatusOK)
	for name, pairs := range map[string][]string{
		"another track":          {"track_id", "00000000-0000-0000-0000-000000000001"},
		"another login":          {"requestId", "00000000-0000-0000-0000-000000000001"},
		"another masked subject": {"sub", "00000000-0000-0000-0000-000000000001"},
		"another status":         {"status_id", "00000000-0000-0000-0000-000000000001"},
		"another method":         {"verificationType", "PASSWORD"},
	} {
		if _, to := b.follow(b.form("/login-srv/precheck/continue/"+track, pairs...)); strings.Contains(to, "code=") {
			t.Errorf("%s: led to %s", name, to)
		}
	}
	_, to := b.follow(b.form("/login-srv/precheck/continue/"+track, "track_id", strings.ToUpper(track)))
	h.mustCode(to)
}

// The response to a faulty form is a page, because a browser posted it (R6).
func TestMalformedFormGetsAPage(t *testing.T) {
	h := newFixture(t)
	h.client()
	b := h.browser()
	for _, path := range []string{"/login-srv/login", "/login-srv/verification/login", "/login-srv/precheck/continue/x"} {
		w := h.is(b.do("POST", path, formType, "requestId=a&requestId=b"), http.StatusSeeOther)
		if w, to := b.follow(w); to != "" || w.Code != http.StatusBadRequest || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s led to %q, %d %s", path, to, w.Code, w.Header().Get("Content-Type"))
		}
		envelope(t, h.is(b.do("POST", path, "application/json", "{}"), http.StatusUnsupportedMediaType))
	}
}

func TestSkippingAnOptionalFactor(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", "")
	b := h.browser()
	request, _ := b.begin()
	track := h.query(b.enter(request), app).Get("track_id")
	skip := func(action string) int { return b.json("/auth-actions-srv/validation/"+track, "action", action).Code }
	for _, action := range []string{"SKIP", "DONOTSHOWAGAIN"} {
		if got := skip(action); got != expectationFailed {
			t.Errorf("%s of what policy demands = %d, want %d", action, got, expectationFailed)
		}
	}
	h.client() // the policy requires nothing any more
	for action, want := range map[string]int{"SKIP": 200, "DONOTSHOWAGAIN": 200, "skip": 400, "": 400} {
		if got := skip(action); got != want {
			t.Errorf("%q = %d, want %d", action, got, want)
		}
	}
	_, to := b.follow(b.form("/login-srv/precheck/continue/"+track, "track_id", track))
	h.mustCode(to)
}

// The response of legacy flows holds tokens. A page on another site, whose calls have no
// cookie, must not get it without the browser that the login belongs to.
func TestTokensInTheResponseGoThroughTheBrowser(t *testing.T) {
	h := newFixture(t)
	h.client(func(c *storage.Client) { c.LegacyResponseTypes = []string{"token"} })
	h.User("ada", "")
	b, p := h.browser(), h.page()
	request, _ := b.begin("response_type", "token")
	w := h.is(p.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther)
	h.is(h.program().json("/login-srv/login/sdk", "requestId", request), expectationFailed)
	twin := h.program().json("/login-srv/login/sdk", "requestId", request, "username", "ada", "password", password)
	envelope(t, h.is(twin, http.StatusBadRequest)) // it must end in its browser
	if _, to := p.follow(w); strings.Contains(to, "access_token") {
		t.Errorf("without the cookie it leads to %s", to)
	}
	if _, to := b.follow(w); strings.Contains(to, "access_token") {
		t.Errorf("without the post of its page it leads to %s", to)
	}
	b.cookies.Take(w)
	if _, to := b.follow(w); !strings.HasPrefix(to, callback+"#access_token=") {
		t.Errorf("the browser is led to %s, want a token", to)
	}
}
