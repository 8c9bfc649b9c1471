package account

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/page/pagetest"
	"sallyport/web/webtest"
)

func TestTexts(t *testing.T) {
	pagetest.Check(t, embedded, `^(event|account\.(client|code|done|out|stale|locked|weak|differ|add|address|detach|profile|undo|username))\.`)
}

func TestEveryCodeHasARefusal(t *testing.T) {
	for _, code := range mfa.Codes() {
		r, ok := refusals[code]
		if !ok || r.status < 400 || r.status >= 600 {
			t.Errorf("%s has the status %d", code, r.status)
		}
	}
	if len(refusals) != len(mfa.Codes()) {
		t.Errorf("%d refusals for %d codes", len(refusals), len(mfa.Codes()))
	}
}

// posts are all changes, with fields that would do something.
func posts(device string) map[string]url.Values {
	return map[string]url.Values{
		"/account/add":      {"method": {"totp"}, "name": {"x"}},
		"/account/rename":   {"id": {device}, "name": {"x"}},
		"/account/remove":   {"id": {device}},
		"/account/recovery": {},
		"/account/password": {"old": {password}, "new": {"seven grey geese"}, "repeat": {"seven grey geese"}},
		"/account/address":  {"kind": {"email"}, "address": {"eve@example.org"}},
		"/account/detach":   {"id": {device}},
		"/account/profile":  {"name": {"x"}},
		"/account/username": {"username": {"countess"}},
		"/account/sessions": {},
		"/account/consents": {"client": {"notes"}},
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey)
	device := string(h.devices(id)[""].ID)
	b, elsewhere := h.browser(), h.browser()
	b.signIn("/account/recovery", "ada", id, "")
	elsewhere.signIn("/account", "ada", id, "")
	others := url.Values{"csrf": {elsewhere.csrf()}}
	before := len(h.account(id).Authenticators)
	for path, form := range posts(device) {
		for name, value := range map[string]string{"none": "", "forged": "forged", "another browser's": others.Get("csrf")} {
			form.Set("csrf", value)
			b.Post(path, form)
			if b.At != path || b.Page.Code != http.StatusForbidden || !strings.Contains(b.Page.Body.String(), "out of date") {
				t.Errorf("%s with the value %s: %d, want 403", path, name, b.Page.Code)
			}
		}
	}
	a := h.account(id)
	if len(a.Authenticators) != before || h.devices(id)[""].Name != "" {
		t.Error("a foreign form changed something")
	}
	elsewhere.Get("/account")
	elsewhere.Must("/account", 200)
	b.Get("/account/password")
	b.Submit("password-submit", "old", password, "new", "seven grey geese", "repeat", "seven grey geese")
	b.Must("/account", 200) // the password is still the first one
}

func TestWithoutASessionNothingIsDone(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey)
	device := string(h.devices(id)[""].ID)
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	csrf := b.csrf()
	delete(b.Cookies, cookie)
	for path, fields := range posts(device) {
		fields.Set("csrf", csrf)
		b.Post(path, fields)
		b.Must("/login", 200)
	}
	if len(h.account(id).Authenticators) != 2 || h.devices(id)[""].Name != "" {
		t.Error("something changed")
	}
}

func TestRecordsOfOtherUsersLookUnknown(t *testing.T) {
	h := newFixture(t)
	ada, eve := h.User("ada", totpKey), h.User("eve", totpKey)
	victim, b := h.browser(), h.browser()
	victim.signIn("/account", "ada", ada, "")
	b.signIn("/account/recovery", "eve", eve, "")
	form := url.Values{"csrf": {b.csrf()}}
	sessions, err := h.Store.SessionsOf(t.Context(), ada, h.Now())
	h.OK(err)
	const unknown = "00000000-0000-0000-0000-000000000000"
	for path, pair := range map[string][2]string{
		"/account/rename":   {string(h.devices(ada)[""].ID), unknown},
		"/account/remove":   {string(h.devices(ada)[""].ID), unknown},
		"/account/address":  {string(mailOf(h.account(ada)).ID), unknown},
		"/account/detach":   {string(mailOf(h.account(ada)).ID), unknown},
		"/account/sessions": {string(sessions[0].ID), unknown},
	} {
		var bodies [2]string
		for i, id := range pair {
			b.Post(path, url.Values{"csrf": form["csrf"], "id": {id}, "name": {"mine"}})
			b.Must(path, 404, "no longer exists")
			bodies[i] = b.Page.Body.String()
		}
		if len(bodies[0]) != len(bodies[1]) {
			t.Errorf("%s: another user's id differs from an unknown one", path)
		}
		if path != "/account/sessions" {
			b.Get(path + "?id=" + pair[0])
			b.Must(path, 404)
		}
	}
	b.Post("/account/consents", url.Values{"csrf": form["csrf"], "client": {"nobody"}})
	b.Must("/account/consents", 404)
	b.Post("/account/add", url.Values{"csrf": form["csrf"], "exchange": {unknown}, "method": {"totp"}, "passcode": {"123456"}})
	b.Must("/account/add", 409, "took too long")
	victim.Get("/account")
	victim.Must("/account", 200)
	if _, ok := h.devices(ada)[""]; !ok {
		t.Error("the device was renamed or removed")
	}
}

func TestNoticesCannotBeForged(t *testing.T) {
	h := newFixture(t)
	h.User("ada", "")
	b := h.browser()
	b.signIn("/account", "ada", "", "")
	for _, forged := range []string{"password", ".password", "abc.password", "abc.nothing"} {
		b.Get("/account?done=" + forged)
		b.Must("/account", 200)
		if strings.Contains(b.Page.Body.String(), `id="notice"`) {
			t.Errorf("done=%s is believed", forged)
		}
	}
}

// A disabled second factor cannot be confirmed, and the page for that does not loop.
func TestLockedFactorIsShown(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey)
	a := h.devices(id)[""]
	h.OK(h.Store.SetAuthenticatorState(t.Context(), id, a.ID, storage.AuthenticatorDisabled, h.Now(), nil, nil))
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	b.Must("/account", 403, "Your second step is locked", "administrator")
	b.Get("/account/add?method=totp")
	b.Must("/account/add", 403, "Your second step is locked")
}

func TestPagesRenderUnderTheirPolicy(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey)
	device := string(h.devices(id)[""].ID)
	b := h.browser()
	b.signIn("/account/recovery", "ada", id, "")
	for _, lang := range []string{"en", "de"} {
		b.Header.Set("Accept-Language", lang)
		for _, path := range []string{"/account", "/account/add?method=totp", "/account/rename?id=" + device, "/account/remove?id=" + device,
			"/account/recovery", "/account/password", "/account/username", "/account/sessions", "/account/consents", "/account/add?method=sms", "/account/add?method=password"} {
			b.Get(path)
			body := b.Page.Body.String()
			if strings.Contains(body, "<no value>") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "%!") || !strings.Contains(body, `<html lang="`+lang+`">`) {
				t.Errorf("%s in %s: something did not render: %s", path, lang, body)
			}
			if strings.Count(body, "<h1>") != 1 || strings.Count(body, "autofocus") > 1 {
				t.Errorf("%s: headings or focus are wrong", path)
			}
			got := b.Page.Header()
			policy := got.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'; style-src 'nonce-") || !strings.Contains(policy, "; script-src 'nonce-") || got.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: headers = %v", path, got)
			}
			if got.Get("Cross-Origin-Opener-Policy") != "same-origin" {
				t.Errorf("%s is not apart from the window that opened it: %v", path, got)
			}
			checkIDs(t, path, body)
		}
	}
	h.Wait(6 * time.Minute)
	b.Get("/account/add?method=totp")
	checkIDs(t, "confirm", b.Page.Body.String())
}

// checkIDs checks that ids are unique and that every reference to one exists.
func checkIDs(t *testing.T, path, body string) {
	t.Helper()
	seen := map[string]int{}
	for _, m := range webtest.Attrs(body) {
		if m[0] == "id" {
			seen[m[1]]++
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s: id %q occurs %d times", path, id, n)
		}
	}
	for _, m := range webtest.Attrs(body) {
		switch m[0] {
		case "for", "aria-describedby", "aria-labelledby", "aria-controls":
			for _, id := range strings.Fields(m[1]) {
				if seen[id] == 0 {
					t.Errorf("%s refers to id %q, which is not there", path, id)
				}
			}
		}
	}
}
