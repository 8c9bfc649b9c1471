package cidaas

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sallyport/mfa/mfatest"
	"sallyport/storage"
	"sallyport/web/webtest"
)

// libraryParams are what getRequestId of the JavaScript library sends: no state, no challenge.
func libraryParams() []string {
	return []string{"client_id", "shop", "redirect_uri", callback, "response_type", "code", "response_mode", "query",
		"scope", "email openid profile mobile", "nonce", "1700000000000"}
}

// A request without a challenge shows the application and lists methods, and every way on ends in
// a refusal that says why.
func TestARequestWithoutChallengeShowsAndLists(t *testing.T) {
	h := newFixture(t)
	h.client()
	h.User("ada", totpKey)
	page := h.page()
	open := func() string {
		t.Helper()
		return h.at(h.is(page.json("/authz-srv/authrequest/authz/generate", libraryParams()...), http.StatusOK), "data.requestId")
	}
	request := open()
	if name := h.at(h.is(page.do("GET", "/public-srv/public/"+request, "application/json", ""), http.StatusOK), "data.client_name"); name != "Lighthouse Shop" {
		t.Errorf("application = %q", name)
	}
	list := h.is(page.json("/verification-srv/v2/setup/public/configured/list", "request_id", request, "email", "ada@example.org"), http.StatusOK)
	if !strings.Contains(list.Body.String(), `"TOTP"`) {
		t.Errorf("list = %s, want the user's app", list.Body)
	}
	h.is(page.json("/verification-srv/v2/setup/public/configured/check/TOTP", "request_id", request, "email", "ada@example.org"), http.StatusOK)
	medium := h.at(list, "data.configured_list.0.mediums.0.id")

	w := h.is(page.json("/verification-srv/v2/authenticate/initiate/totp", "request_id", request, "usage_type", "PASSWORDLESS_AUTHENTICATION",
		"medium_id", medium, "email", "ada@example.org"), http.StatusBadRequest)
	golden(t, "unchallenged", w)
	w = h.is(page.json("/login-srv/login/sdk", "requestId", request, "username", "ada", "password", password), http.StatusBadRequest)
	if got := h.at(w, "error.error"); got != "code_challenge required" {
		t.Errorf("the twin: %s", w.Body)
	}
	refused := func(location, way string) {
		t.Helper()
		q := h.query(location, callback+"?")
		if q.Get("error") != "invalid_request" || !strings.Contains(q.Get("error_description"), "code_challenge is required") || q.Has("code") || q.Get("iss") != issuer {
			t.Errorf("%s ended in %v", way, q)
		}
	}
	refused(h.is(h.program().form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther).Header().Get("Location"), "a program")

	request = open()
	b := h.browser()
	b.header.Set("Origin", app)
	_, to := b.follow(h.is(b.form("/login-srv/login", "requestId", request, "username", "ada", "password", password), http.StatusSeeOther))
	refused(to, "a form of the application's page")

	request = open()
	b = h.browser()
	_, to = b.follow(h.is(b.do("GET", "/continue?requestId="+url.QueryEscape(request), "", ""), http.StatusSeeOther))
	refused(to, "a browser that takes the request over")
}

// Names are counted as in every request, so that nobody can list without end.
func TestListsWithoutChallengeAreLimited(t *testing.T) {
	h := newFixture(t)
	h.client()
	page := h.page()
	request := h.at(h.is(page.json("/authz-srv/authrequest/authz/generate", libraryParams()...), http.StatusOK), "data.requestId")
	listed := 0
	for n := range 20 {
		if page.json("/verification-srv/public/graph/user/setup", "request_id", request, "identifier", fmt.Sprintf("n%d", n)).Code == http.StatusOK {
			listed++
		}
	}
	if listed == 0 || listed > 10 {
		t.Errorf("%d of 20 names were listed, want at most 10", listed)
	}
}

// A method that needs a setting says so; one that the server does not have at all does not.
func TestSwitchedOffMethodsNameTheSetting(t *testing.T) {
	h := newFixtureWith(t, mfatest.Options{})
	h.client()
	h.User("ada", totpKey)
	request := h.at(h.page().json("/authz-srv/authrequest/authz/generate", flat(authorizeParams())...), "data.requestId")
	for method, setting := range map[string]string{"SMS": "sms.countries", "email": "mail.host", "PUSH": ""} {
		for _, path := range []string{"/verification-srv/v2/authenticate/initiate/" + method, "/verification-srv/authentication/" + method + "/verification"} {
			w := h.is(h.page().json(path, "usage_type", "PASSWORDLESS_AUTHENTICATION", "request_id", request, "identifier", "ada", "exchange_id", request, "pass_code", "123456"), expectationFailed)
			var info string
			if body := w.Body.String(); setting != "" {
				info = h.at(w, "error.moreInfo")
			} else if strings.Contains(body, "switched off") {
				t.Errorf("%s: %s", path, body)
			}
			if !strings.Contains(info, setting) || (setting != "") != strings.Contains(info, "switched off") {
				t.Errorf("%s: %q, want what is switched off, and %s", path, info, setting)
			}
		}
	}
}

func TestWhoMayOpenWithoutChallenge(t *testing.T) {
	h := newFixture(t)
	h.client()
	generate := "/authz-srv/authrequest/authz/generate"
	h.is(h.page().json(generate, append(libraryParams(), "code_challenge_method", "S256")...), http.StatusBadRequest)
	h.is(h.page().json(generate, append(libraryParams(), "code_challenge", webtest.Challenge(verifier), "code_challenge_method", "plain")...), http.StatusBadRequest)
	// A browser cannot ask for such a request, and a program cannot say so itself.
	params := authorizeParams("code_challenge", "", "code_challenge_method", "", "without_code", "1")
	w := h.is(h.browser().do("GET", "/authorize?"+params.Encode(), "", ""), http.StatusSeeOther)
	if q := h.query(w.Header().Get("Location"), callback); q.Get("error") != "invalid_request" {
		t.Errorf("without_code in an address: %v", q)
	}
	h.client(func(c *storage.Client) {
		confidential(c)
		c.ID = "shop"
	})
	h.is(h.page().json(generate, libraryParams()...), http.StatusBadRequest)
}
