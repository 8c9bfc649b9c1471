package account

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/webtest"
)

func TestSigningIn(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	b := h.browser()
	b.Get("/account/password")
	b.Must("/login", 200, "Sallyport")
	b.Submit("login-submit", "username", "ada", "password", password)
	b.Must("/account/password", 200, `id="password-form"`)
	if !b.Passed("/account/callback") || b.Passed("/consent") {
		t.Errorf("way = %v, want back through the callback and no consent", b.Trail)
	}
	b.Get("/account")
	b.Must("/account", 200, `id="account"`, `id="authenticators"`, `id="totp-add"`, `id="sessions"`, `id="session-here"`, `id="consents"`,
		`id="activity"`, `id="password-change"`, `id="logout"`, "ada@example.org", "Signed in to Sallyport")
	if strings.Contains(b.Page.Body.String(), `id="recovery-new"`) {
		t.Error("recovery codes are offered without a second factor")
	}
	b.Header.Set("Accept-Language", "de")
	b.Get("/account")
	b.Must("/account", 200, `<html lang="de">`, "Angemeldet bei Sallyport")
	if len(h.account(id).Authenticators) != 1 {
		t.Error("looking changed something")
	}
	b.Follow("logout")
	b.Submit("logout-confirm")
	b.Get("/account")
	b.Must("/login", 200)
}

func TestCallbackIsBoundToItsBrowser(t *testing.T) {
	h := newFixture(t)
	h.User("ada", "")
	b := h.browser()
	b.signIn("/account", "ada", "", "")
	other := h.browser()
	other.Get("/account")
	foreign := url.QueryEscape(stateOf(t, h, other))
	for name, query := range map[string]string{
		"no state":              "code=x",
		"a forged state":        "code=x&state=abc./account",
		"another browser's":     "code=x&state=" + foreign,
		"one of another origin": "code=x&state=.//evil.example",
	} {
		b.Get("/account/callback?" + query)
		if b.At != callback || b.Page.Code != 400 {
			t.Errorf("%s: at %s with %d, want 400 where it came", name, b.At, b.Page.Code)
		}
	}
	// Without a session a cancelled login must not redirect in a loop.
	other.Submit("cancel")
	other.Must(callback, 403, "not signed in", `id="onward"`)
	for _, to := range []string{"//evil.example", "https://evil.example/account", "/\\evil.example", "/login", "/account/../login", "/accounts", "javascript:1"} {
		b.Get("/account/confirm?then=" + url.QueryEscape(to))
		h.Wait(2 * time.Minute)
		b.Get("/account/confirm?then=" + url.QueryEscape(to))
		b.Submit("login-submit", "password", password)
		b.Must("/account", 200)
	}
}

// stateOf is the state of a login that a browser has just begun.
func stateOf(t *testing.T, h *fixture, b *browser) string {
	t.Helper()
	m := regexp.MustCompile(`requestId=([0-9A-Za-z_-]+)`).FindStringSubmatch(b.Page.Body.String())
	if m == nil {
		t.Fatalf("no login: %s", b.Page.Body)
	}
	// Whatever is no page of a first factor stores the login.
	b.Get("/continue?requestId=" + m[1])
	m = regexp.MustCompile(`requestId=([0-9A-Za-z_-]+)`).FindStringSubmatch(b.Page.Body.String())
	r, _, err := h.Store.Request(context.Background(), storage.RequestID(m[1]), "", h.Now())
	h.OK(err)
	return r.Params.Get("state")
}

// add sets up a device on the page that requests its name.
func (b *browser) add(user storage.UserID, name, shape string) {
	b.h.T.Helper()
	b.Must("/account/add", 200, `id="totp-name"`, `id="totp-shape"`)
	b.Submit("totp-begin", "name", name, "shape", shape)
	b.Must("/account/add", 200, `id="enroll-qr"`, `id="enroll-secret"`)
	b.Submit("totp-submit", "passcode", b.h.code(user, name))
}

var listed = regexp.MustCompile(`<li><code>([^<]+)</code>`)

func TestTwoDevicesEachOpenALogin(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	b := h.browser()
	b.signIn("/account/add?method=totp", "ada", id, "")
	b.Submit("totp-begin", "name", "Work phone")
	b.Must("/account/add", 200)
	secret := webtest.Attr(b.Page.Body.String()[strings.Index(b.Page.Body.String(), `id="enroll-secret"`):], "data-value")
	b.Submit("totp-submit", "passcode", "000000")
	b.Must("/account/add", 422, "That code is wrong", `data-value="`+secret+`"`) // the same secret: no need to scan again
	b.Submit("totp-submit", "passcode", h.code(id, "Work phone"))
	b.Must("/account/recovery", 200, `id="recovery-codes"`)
	if n := len(listed.FindAllString(b.Page.Body.String(), -1)); n != 10 {
		t.Errorf("%d recovery codes, want 10", n)
	}
	b.Follow("recovery-done")
	b.Must("/account", 200, "Work phone", "6 digits, SHA1", "Codes left: 10")

	// This session has a recent password, and yet it may not add another factor without a
	// recent proof of the existing one.
	h.Wait(6 * time.Minute)
	b.Follow("totp-add")
	b.Must("/account/add", 403, `id="account-confirm"`)
	b.Follow("confirm-begin")
	b.Submit("login-submit", "password", password)
	b.Must("/mfa", 200, "Work phone")
	b.Submit("mfa-submit", "passcode", h.code(id, "Work phone"))
	b.add(id, "Old tablet", "SHA256/8")
	b.Must("/account", 200, `id="notice"`, "Old tablet", "8 digits, SHA256")

	for _, device := range []string{"Work phone", "Old tablet"} {
		h.Wait(30 * time.Second)
		b := h.browser()
		b.signIn("/account", "ada", id, "")
		b.Must("/mfa", 200, "Work phone", "Old tablet", `id="method-recovery"`)
		if _, form := b.Form(`id="mfa-submit"`); form.Get("authenticator") != string(h.devices(id)[device].ID) {
			for _, link := range []string{"method-totp", "method-totp-2"} {
				if strings.Contains(b.Page.Body.String(), `id="`+link+`"`) {
					b.Follow(link)
					break
				}
			}
		}
		b.Must("/mfa", 200, "Use the one you named “"+device+"”.")
		b.Submit("mfa-submit", "passcode", h.code(id, device))
		b.Must("/account", 200)
	}
}

func TestOldSessionsReauthenticate(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	b.Get("/account/add?method=totp")
	b.Must("/account/add", 200)
	action, form := b.Form(`id="totp-begin"`)
	h.Wait(16 * time.Minute)
	form.Set("name", "Phone")
	b.Post(action, form) // the page was left open, and sent when the session is too old
	b.Must("/account/add", 403, `id="account-confirm"`, "asked for your password")
	if n := len(h.devices(id)); n != 0 {
		t.Fatalf("%d devices, want none", n)
	}
	old := b.Cookies[cookie]
	b.Follow("confirm-begin")
	b.Must("/login", 200, "ada@example.org")
	b.Submit("login-submit", "password", password)
	b.Must("/account/add", 200, `id="totp-name"`)
	if b.Cookies[cookie] == old {
		t.Error("the session's token is still the one from before the new proof")
	}
}

func TestPasswordAloneChangesNoFactor(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa") // imported: a login does not require it
	b := h.browser()
	b.Get("/account")
	b.Submit("login-submit", "username", "ada", "password", password)
	for _, path := range []string{"/account", "/account/password", "/account/add?method=totp"} {
		b.Get(path)
		b.Must("/mfa", 200) // not even to view the page, though no policy requires it
	}
	b.Submit("mfa-submit", "passcode", h.code(id, ""))
	b.Get("/account")
	b.Must("/account", 200, `id="recovery-new"`)
	h.Wait(6 * time.Minute)
	form := url.Values{"csrf": {b.csrf()}}
	device := string(h.devices(id)[""].ID)
	for path, fields := range map[string]url.Values{
		"/account/add":      {"method": {"totp"}, "name": {"Thief's phone"}},
		"/account/remove":   {"id": {device}},
		"/account/recovery": {},
	} {
		q := url.Values{"csrf": form["csrf"]}
		get := url.Values{}
		for k, v := range fields {
			q[k], get[k] = v, v
		}
		b.Get(path + "?" + get.Encode())
		b.Must(path, 403, `id="account-confirm"`, "second step")
		b.Post(path, q)
		b.Must(path, 403, `id="account-confirm"`)
	}
	if n := len(h.account(id).Authenticators); n != 3 {
		t.Fatalf("%d authenticators, want the three there were", n)
	}
	b.Follow("confirm-begin")
	b.Submit("login-submit", "password", password)
	b.Must("/mfa", 200) // acr_values requires it, though no policy does
	b.Submit("mfa-submit", "passcode", h.code(id, ""))
	if b.Page.Code != 200 || !strings.HasPrefix(b.At, "/account/") {
		t.Errorf("at %s with %d, want to be back where it began", b.At, b.Page.Code)
	}
	b.Get("/account/remove?id=" + device)
	b.Must("/account/remove", 200, `id="remove-last"`)
}

func TestRemovingADevice(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey)
	device := string(h.devices(id)[""].ID)
	elsewhere := h.browser()
	elsewhere.signIn("/account", "ada", id, "")
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	b.Get("/account/remove?id=" + device)
	b.Must("/account/remove", 200, `id="remove-submit"`, `id="remove-others"`)
	code := h.code(id, "")
	b.Submit("remove-submit")
	b.Must("/account", 200, "is removed", "Only your password protects")
	elsewhere.Get("/account")
	elsewhere.Must("/login", 200)
	h.Wait(time.Minute)
	elsewhere.Submit("login-submit", "username", "ada", "password", password)
	elsewhere.Must("/account", 200)
	elsewhere.Get("/account/remove?id=" + device)
	elsewhere.Must("/account/remove", 404, "no longer exists")
	if strings.Contains(h.Log.String(), code) {
		t.Error("the log holds a code")
	}
}

func TestRecoveryCodesAreReplacedAndShownOnce(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa")
	b := h.browser()
	b.signIn("/account/recovery", "ada", id, "")
	b.Must("/account/recovery", 200, `id="recovery-submit"`)
	b.Submit("recovery-submit")
	b.Must("/account/recovery", 200, `id="recovery-codes"`, `id="recovery-download"`)
	codes := listed.FindAllStringSubmatch(b.Page.Body.String(), -1)
	at := b.URL
	b.Get(at) // loaded again, for a while
	b.Must("/account/recovery", 200, codes[0][1], codes[9][1])
	another := h.browser() // of the same browser, as where several people share one
	another.Cookies["__Host-sallyport_browser"] = b.Cookies["__Host-sallyport_browser"]
	another.signIn(at, "ada", id, "")
	another.Must("/account/recovery", 200, `id="recovery-submit"`)
	h.Wait(10 * time.Minute)
	for name, reader := range map[string]*browser{"another session": another, "ten minutes later": b} {
		if reader.Get(at); strings.Contains(reader.Page.Body.String(), codes[0][1]) {
			t.Errorf("%s: the codes are shown", name)
		}
	}
	b.Get("/account")
	b.Must("/account", 200, "Codes left: 10")
	b.Get("/account/recovery")
	if body := b.Page.Body.String(); len(codes) != 10 || strings.Contains(body, codes[0][1]) {
		t.Errorf("%d codes, and shown again: %s", len(codes), body)
	}
	other := h.browser()
	other.Get("/account/recovery")
	other.Submit("login-submit", "username", "ada", "password", password)
	other.Follow("method-recovery")
	other.Submit("mfa-submit", "passcode", "aaaaaaaaaaaaaaaaaaaaaaaa")
	other.Must("/mfa", 422, "That recovery code is wrong")
	other.Submit("mfa-submit", "passcode", codes[4][1])
	other.Must("/account/recovery", 200)
}

func TestSessions(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", "")
	b, second, third := h.browser(), h.browser(), h.browser()
	for _, x := range []*browser{b, second, third} {
		x.signIn("/account", "ada", id, "")
		h.Wait(time.Second)
	}
	b.Get("/account")
	b.Must("/account", 200, `id="sessions-end-others"`)
	if n := strings.Count(b.Page.Body.String(), `action="/account/sessions"`); n != 3 {
		t.Fatalf("%d forms to end sessions, want two for the others and one for all of them", n)
	}
	action, form := b.Form(`name="id"`) // the newest
	b.Post(action, form)
	b.Must("/account", 200, "session is signed out")
	b.Post(action, form)
	b.Must("/account/sessions", 404, "no longer exists")
	third.Get("/account")
	third.Must("/login", 200)
	second.Get("/account")
	second.Must("/account", 200)
	b.Get("/account")
	b.Submit("sessions-end-others")
	b.Must("/account", 200, "signed out everywhere else")
	second.Get("/account")
	second.Must("/login", 200)
	if strings.Contains(b.Page.Body.String(), `id="sessions-end-others"`) {
		t.Error("there is no other session to sign out")
	}
	// A person at an unlocked device must not sign the owner out.
	third.Submit("login-submit", "username", "ada", "password", password)
	b.Get("/account")
	_, form = b.Form(`id="sessions-end-others"`)
	h.Wait(16 * time.Minute)
	one := url.Values{"csrf": form["csrf"], "id": {"x"}}
	for path, form := range map[string]url.Values{"/account/sessions": form, "/account/sessions?one": one, "/account/consents": form} {
		b.Post(path, form)
		b.Must(strings.TrimSuffix(path, "?one"), 403, `id="account-confirm"`)
	}
	third.Get("/account")
	third.Must("/account", 200)
	b.Follow("confirm-begin")
	b.Submit("login-submit", "password", password)
	b.Get("/account")
	b.Submit("sessions-end-others")
	b.Must("/account", 200, "signed out everywhere else")
}

func TestConsents(t *testing.T) {
	h := newFixture(t)
	h.User("ada", "")
	c := storage.Client{ID: "notes", Name: "Harbour Notes", Public: true, AuthMethod: "none", RedirectURIs: []string{issuer + "/account/notes"},
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"}, MFA: mfa.MFAOff, Consent: "ask"}
	h.OK(h.Store.PutClient(context.Background(), c, nil))
	b := h.browser()
	b.signIn("/account", "ada", "", "")
	q := url.Values{"response_type": {"code"}, "client_id": {"notes"}, "redirect_uri": c.RedirectURIs, "scope": {"openid email"}, "state": {"s"},
		"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}
	b.Get("/authorize?" + q.Encode())
	b.Must("/consent", 200)
	b.Submit("consent-allow", "decision", "allow")
	b.Get("/account")
	b.Must("/account", 200, "Harbour Notes", "see your e-mail address", "Access allowed to Harbour Notes")
	action, form := b.Form(`name="client"`)
	b.Post(action, form)
	b.Must("/account", 200, "no longer has access", "No application has access", "Access of Harbour Notes")
	b.Post(action, form)
	b.Must("/account/consents", 404)
	b.Get("/authorize?" + q.Encode())
	b.Must("/consent", 200)
}

func TestRenaming(t *testing.T) {
	h := newFixture(t)
	id := h.User("ada", totpKey)
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	device := string(h.devices(id)[""].ID)
	b.Get("/account/rename?id=" + device)
	b.Submit("rename-submit", "name", "line\nbreak")
	b.Must("/account/rename", 422)
	b.Submit("rename-submit", "name", `<b>"Tablet"`)
	b.Must("/account", 200, "new name is saved", `<b>"Tablet"`)
	if strings.Contains(b.Page.Body.String(), "<b>") {
		t.Error("the name is markup")
	}
}
