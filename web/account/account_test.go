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

func TestSigningInThroughOurselves(t *testing.T) {
	h := newHouse(t)
	id := h.user("ada", "")
	b := h.browser()
	b.get("/account/password")
	b.must("/login", 200, "Sallyport")
	b.submit("login-submit", "username", "ada", "password", password)
	b.must("/account/password", 200, `id="password-form"`)
	if !b.passed("/account/callback") || b.passed("/consent") {
		t.Errorf("way = %v, want back through the callback and no consent", b.trail)
	}
	b.get("/account")
	b.must("/account", 200, `id="account"`, `id="authenticators"`, `id="totp-add"`, `id="sessions"`, `id="session-here"`, `id="consents"`,
		`id="activity"`, `id="password-change"`, `id="logout"`, "ada@example.org", "Signed in to Sallyport")
	if strings.Contains(b.page.Body.String(), `id="recovery-new"`) {
		t.Error("recovery codes are offered without a second factor")
	}
	b.lang = "de"
	b.get("/account")
	b.must("/account", 200, `<html lang="de">`, "Angemeldet bei Sallyport")
	if len(h.account(id).Authenticators) != 1 {
		t.Error("looking changed something")
	}
	b.follow("logout")
	b.submit("logout-confirm")
	b.get("/account")
	b.must("/login", 200)
}

func TestTheCallbackIsForThisBrowser(t *testing.T) {
	h := newHouse(t)
	h.user("ada", "")
	b := h.browser()
	b.signIn("/account", "ada", "", "")
	other := h.browser()
	other.get("/account")
	foreign := url.QueryEscape(stateOf(t, h, other))
	for name, query := range map[string]string{
		"no state":              "code=x",
		"a made-up state":       "code=x&state=abc./account",
		"another browser's":     "code=x&state=" + foreign,
		"one of another origin": "code=x&state=.//evil.example",
	} {
		b.get("/account/callback?" + query)
		if b.at != callback || b.page.Code != 400 {
			t.Errorf("%s: at %s with %d, want 400 where it came", name, b.at, b.page.Code)
		}
	}
	// Without a session a cancelled login must not send the browser round in circles.
	other.submit("cancel")
	other.must(callback, 403, "not signed in", `id="onward"`)
	for _, to := range []string{"//evil.example", "https://evil.example/account", "/\\evil.example", "/login", "/account/../login", "/accounts", "javascript:1"} {
		b.get("/account/confirm?then=" + url.QueryEscape(to))
		h.clock = h.clock.Add(2 * time.Minute)
		b.get("/account/confirm?then=" + url.QueryEscape(to))
		b.submit("login-submit", "password", password)
		b.must("/account", 200)
	}
}

// stateOf is the state of a login that a browser has just begun.
func stateOf(t *testing.T, h *house, b *browser) string {
	t.Helper()
	m := regexp.MustCompile(`requestId=([0-9a-f-]+)`).FindStringSubmatch(b.page.Body.String())
	if m == nil {
		t.Fatalf("no login: %s", b.page.Body)
	}
	r, _, err := h.engine.Request(context.Background(), storage.RequestID(m[1]), "", h.now())
	h.ok(err)
	return r.Params.Get("state")
}

// add sets up a device on the page that asks for its name.
func (b *browser) add(user storage.UserID, name, shape string) {
	b.h.t.Helper()
	b.must("/account/add", 200, `id="totp-name"`, `id="totp-shape"`)
	b.submit("totp-begin", "name", name, "shape", shape)
	b.must("/account/add", 200, `id="enroll-qr"`, `id="enroll-secret"`)
	b.submit("totp-submit", "passcode", b.h.code(user, name))
}

var listed = regexp.MustCompile(`<li><code>([^<]+)</code>`)

func TestTwoDevicesEachOpenALogin(t *testing.T) {
	h := newHouse(t)
	id := h.user("ada", "")
	b := h.browser()
	b.signIn("/account/add?method=totp", "ada", id, "")
	b.submit("totp-begin", "name", "Work phone")
	b.must("/account/add", 200)
	secret := webtest.Attr(b.page.Body.String()[strings.Index(b.page.Body.String(), `id="enroll-secret"`):], "data-value")
	b.submit("totp-submit", "passcode", "000000")
	b.must("/account/add", 422, "That code is wrong", `data-value="`+secret+`"`) // the same secret: nobody must scan again
	b.submit("totp-submit", "passcode", h.code(id, "Work phone"))
	b.must("/account/add", 200, `id="recovery-codes"`)
	if n := len(listed.FindAllString(b.page.Body.String(), -1)); n != 10 {
		t.Errorf("%d recovery codes, want 10", n)
	}
	b.follow("recovery-done")
	b.must("/account", 200, "Work phone", "6 digits, SHA1", "Codes left: 10")

	// The trap: this session knows the password and is young, and yet it may not add
	// another factor without a young proof of the first.
	h.clock = h.clock.Add(6 * time.Minute)
	b.follow("totp-add")
	b.must("/account/add", 403, `id="account-confirm"`)
	b.follow("confirm-begin")
	b.submit("login-submit", "password", password)
	b.must("/mfa", 200, "Work phone")
	b.submit("mfa-submit", "passcode", h.code(id, "Work phone"))
	b.add(id, "Old tablet", "SHA256/8")
	b.must("/account", 200, `id="notice"`, "Old tablet", "8 digits, SHA256")

	for _, device := range []string{"Work phone", "Old tablet"} {
		h.clock = h.clock.Add(30 * time.Second)
		b := h.browser()
		b.signIn("/account", "ada", id, "")
		b.must("/mfa", 200, "Work phone", "Old tablet", `id="method-recovery"`)
		if _, form := b.form(`id="mfa-submit"`); form.Get("authenticator") != string(h.devices(id)[device].ID) {
			for _, link := range []string{"method-totp", "method-totp-2"} {
				if strings.Contains(b.page.Body.String(), `id="`+link+`"`) {
					b.follow(link)
					break
				}
			}
		}
		b.must("/mfa", 200, "It is the one you named “"+device+"”.")
		b.submit("mfa-submit", "passcode", h.code(id, device))
		b.must("/account", 200)
	}
}

func TestAnOldSessionIsLedThroughTheLoginAndBack(t *testing.T) {
	h := newHouse(t)
	id := h.user("ada", "")
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	b.get("/account/add?method=totp")
	b.must("/account/add", 200)
	action, form := b.form(`id="totp-begin"`)
	h.clock = h.clock.Add(16 * time.Minute)
	form.Set("name", "Phone")
	b.post(action, form) // the page is left open, and sent when the session is too old
	b.must("/account/add", 403, `id="account-confirm"`, "asked for your password")
	if n := len(h.devices(id)); n != 0 {
		t.Fatalf("%d devices, want none", n)
	}
	old := b.cookies[cookie]
	b.follow("confirm-begin")
	b.must("/login", 200, "ada@example.org")
	b.submit("login-submit", "password", password)
	b.must("/account/add", 200, `id="totp-name"`)
	if b.cookies[cookie] == old {
		t.Error("the session's token is still the one from before the new proof")
	}
}

func TestThePasswordAloneChangesNoFactor(t *testing.T) {
	h := newHouse(t)
	id := h.user("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa") // imported: a login does not ask for it
	b := h.browser()
	b.get("/account")
	b.submit("login-submit", "username", "ada", "password", password)
	for _, path := range []string{"/account", "/account/password", "/account/add?method=totp"} {
		b.get(path)
		b.must("/mfa", 200) // not even to look at, though no policy asks for it
	}
	b.submit("mfa-submit", "passcode", h.code(id, ""))
	b.get("/account")
	b.must("/account", 200, `id="recovery-new"`)
	h.clock = h.clock.Add(6 * time.Minute)
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
		b.get(path + "?" + get.Encode())
		b.must(path, 403, `id="account-confirm"`, "second step")
		b.post(path, q)
		b.must(path, 403, `id="account-confirm"`)
	}
	if n := len(h.account(id).Authenticators); n != 3 {
		t.Fatalf("%d authenticators, want the three there were", n)
	}
	b.follow("confirm-begin")
	b.submit("login-submit", "password", password)
	b.must("/mfa", 200) // acr_values asks for it, though no policy does
	b.submit("mfa-submit", "passcode", h.code(id, ""))
	if b.page.Code != 200 || !strings.HasPrefix(b.at, "/account/") {
		t.Errorf("at %s with %d, want to be back where it began", b.at, b.page.Code)
	}
	b.get("/account/remove?id=" + device)
	b.must("/account/remove", 200, `id="remove-last"`)
}

func TestRemovingADevice(t *testing.T) {
	h := newHouse(t)
	id := h.user("ada", totpKey)
	device := string(h.devices(id)[""].ID)
	elsewhere := h.browser()
	elsewhere.signIn("/account", "ada", id, "")
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	b.get("/account/remove?id=" + device)
	b.must("/account/remove", 200, `id="remove-submit"`, `id="remove-others"`)
	code := h.code(id, "")
	b.submit("remove-submit")
	b.must("/account", 200, "is removed", "Only your password protects")
	elsewhere.get("/account")
	elsewhere.must("/login", 200)
	h.clock = h.clock.Add(time.Minute)
	elsewhere.submit("login-submit", "username", "ada", "password", password)
	elsewhere.must("/account", 200)
	elsewhere.get("/account/remove?id=" + device)
	elsewhere.must("/account/remove", 404, "not there any more")
	if strings.Contains(h.log.String(), code) {
		t.Error("the log holds a code")
	}
}

func TestRecoveryCodesAreReplacedAndShownOnce(t *testing.T) {
	h := newHouse(t)
	id := h.user("ada", totpKey, "aaaaaaaaaaaaaaaaaaaaaaaa")
	b := h.browser()
	b.signIn("/account/recovery", "ada", id, "")
	b.must("/account/recovery", 200, `id="recovery-submit"`)
	b.submit("recovery-submit")
	b.must("/account/recovery", 200, `id="recovery-codes"`, `id="recovery-download"`)
	codes := listed.FindAllStringSubmatch(b.page.Body.String(), -1)
	b.get("/account")
	b.must("/account", 200, "Codes left: 10")
	b.get("/account/recovery")
	if body := b.page.Body.String(); len(codes) != 10 || strings.Contains(body, codes[0][1]) {
		t.Errorf("%d codes, and shown again: %s", len(codes), body)
	}
	other := h.browser()
	other.get("/account/recovery")
	other.submit("login-submit", "username", "ada", "password", password)
	other.follow("method-recovery")
	other.submit("mfa-submit", "passcode", "aaaaaaaaaaaaaaaaaaaaaaaa")
	other.must("/mfa", 422, "That code is wrong")
	other.submit("mfa-submit", "passcode", codes[4][1])
	other.must("/account/recovery", 200)
}

func TestSessions(t *testing.T) {
	h := newHouse(t)
	id := h.user("ada", "")
	b, second, third := h.browser(), h.browser(), h.browser()
	for _, x := range []*browser{b, second, third} {
		x.signIn("/account", "ada", id, "")
		h.clock = h.clock.Add(time.Second)
	}
	b.get("/account")
	b.must("/account", 200, `id="sessions-end-others"`)
	if n := strings.Count(b.page.Body.String(), `action="/account/sessions"`); n != 3 {
		t.Fatalf("%d forms to end sessions, want two for the others and one for all of them", n)
	}
	action, form := b.form(`name="id"`) // the newest
	b.post(action, form)
	b.must("/account", 200, "session is signed out")
	b.post(action, form)
	b.must("/account/sessions", 404, "not there any more")
	third.get("/account")
	third.must("/login", 200)
	second.get("/account")
	second.must("/account", 200)
	b.get("/account")
	b.submit("sessions-end-others")
	b.must("/account", 200, "signed out everywhere else")
	second.get("/account")
	second.must("/login", 200)
	if strings.Contains(b.page.Body.String(), `id="sessions-end-others"`) {
		t.Error("there is nobody else to sign out")
	}
	// Whoever finds the page open must not throw its owner out.
	third.submit("login-submit", "username", "ada", "password", password)
	b.get("/account")
	_, form = b.form(`id="sessions-end-others"`)
	h.clock = h.clock.Add(16 * time.Minute)
	one := url.Values{"csrf": form["csrf"], "id": {"x"}}
	for path, form := range map[string]url.Values{"/account/sessions": form, "/account/sessions?one": one, "/account/consents": form} {
		b.post(path, form)
		b.must(strings.TrimSuffix(path, "?one"), 403, `id="account-confirm"`)
	}
	third.get("/account")
	third.must("/account", 200)
	b.follow("confirm-begin")
	b.submit("login-submit", "password", password)
	b.get("/account")
	b.submit("sessions-end-others")
	b.must("/account", 200, "signed out everywhere else")
}

func TestConsents(t *testing.T) {
	h := newHouse(t)
	h.user("ada", "")
	c := storage.Client{ID: "notes", Name: "Harbour Notes", Public: true, AuthMethod: "none", RedirectURIs: []string{issuer + "/account/notes"},
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid", "email"}, MFA: mfa.MFAOff, Consent: "ask"}
	h.ok(h.engine.PutClient(context.Background(), c, nil))
	b := h.browser()
	b.signIn("/account", "ada", "", "")
	q := url.Values{"response_type": {"code"}, "client_id": {"notes"}, "redirect_uri": c.RedirectURIs, "scope": {"openid email"}, "state": {"s"},
		"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}
	b.get("/authorize?" + q.Encode())
	b.must("/consent", 200)
	b.submit("consent-allow", "decision", "allow")
	b.get("/account")
	b.must("/account", 200, "Harbour Notes", "see your e-mail address", "Access allowed to Harbour Notes")
	action, form := b.form(`name="client"`)
	b.post(action, form)
	b.must("/account", 200, "may not do that any more", "No application has access", "Access taken back from Harbour Notes")
	b.post(action, form)
	b.must("/account/consents", 404)
	b.get("/authorize?" + q.Encode())
	b.must("/consent", 200)
}

func TestRenaming(t *testing.T) {
	h := newHouse(t)
	id := h.user("ada", totpKey)
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	device := string(h.devices(id)[""].ID)
	b.get("/account/rename?id=" + device)
	b.submit("rename-submit", "name", "line\nbreak")
	b.must("/account/rename", 422)
	b.submit("rename-submit", "name", `<b>"Tablet"`)
	b.must("/account", 200, "new name is saved", `<b>"Tablet"`)
	if strings.Contains(b.page.Body.String(), "<b>") {
		t.Error("the name is markup")
	}
}
