package login

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/webtest"
)

func always(c *storage.Client) { c.MFA = mfa.MFAAlways }

func TestPasswordAndTOTP(t *testing.T) {
	h := newHouse(t)
	h.client(always)
	h.user("ada", totpKey)
	b := h.browser()
	b.authorize("login_hint", "ada")
	b.must("/login", 200, `value="ada`, "Lighthouse Shop")
	b.login("ada", "wrong")
	b.must("/login", 422, `id="error"`, "Name or password is wrong")
	b.login("ada", password)
	b.must("/mfa", 200, `id="mfa-submit"`, "ada@example.org")
	if b.cookies["__Host-sallyport_session"] != "" {
		t.Fatal("the password alone left a session (M-7)")
	}
	b.submit("mfa-submit", "passcode", "000000")
	b.must("/mfa", 422, "That code is wrong", `name="exchange"`)
	b.submit("mfa-submit", "passcode", "12345")
	b.must("/mfa", 422, "That cannot be right")
	code := h.code(totpKey)
	b.submit("mfa-submit", "passcode", " "+code[:3]+" "+code[3:]+" ")
	b.mustCode()
	if b.cookies["__Host-sallyport_session"] == "" || b.cookies["__Host-sallyport_device"] == "" {
		t.Fatalf("cookies = %v, want session and device", b.cookies)
	}
	if log := h.log.String(); strings.Contains(log, password) || strings.Contains(log, code) || strings.Contains(log, "requestId") {
		t.Errorf("log holds a secret: %s", log)
	}

	b.authorize()
	b.mustCode() // signed in already: no page at all
	h.clock = h.clock.Add(2 * time.Second)
	b.authorize("prompt", "login")
	b.must("/login", 200, "ada@example.org")
	b.login("ada", password)
	b.must("/mfa", 200)
	b.submit("mfa-submit", "passcode", code)
	b.must("/mfa", 422, "used already")
	h.clock = h.clock.Add(time.Minute)
	b.submit("mfa-submit", "passcode", h.code(totpKey))
	b.mustCode()
}

var listed = regexp.MustCompile(`<li><code>([^<]+)</code>`)

func TestEnrollmentRecoveryAndConsent(t *testing.T) {
	h := newHouse(t)
	h.client(func(c *storage.Client) { c.MFA, c.Consent = mfa.MFAAlways, "ask" })
	h.user("ada", "")
	b := h.browser()
	b.authorize("scope", "openid email")
	b.login("ada@example.org", password)
	b.must("/enroll", 200, `id="enroll-begin"`)
	b.submit("enroll-begin")
	b.must("/enroll", 200, `id="enroll-qr"`, `id="enroll-open"`)
	key := webtest.Attr(b.page.Body.String()[strings.Index(b.page.Body.String(), `id="enroll-secret"`):], "data-value")
	b.submit("enroll-submit", "passcode", "000000")
	b.must("/enroll", 422, "That code is wrong", `data-value="`+key+`"`) // the same secret: nobody must scan again
	stale, form := b.form("enroll-submit")
	b.submit("enroll-submit", "passcode", h.code(key))
	b.must("/recovery-codes", 200, `id="recovery-done"`)
	codes := listed.FindAllStringSubmatch(b.page.Body.String(), -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes, want 10", len(codes))
	}
	b.post(stale, form) // sent again from a second tab
	b.must("/recovery-codes", 200, codes[0][1])
	b.submit("recovery-done")
	b.must("/consent", 200, "see your e-mail address", `id="consent-deny"`)
	b.submit("consent-allow", "decision", "perhaps")
	b.must("/consent", 200)
	b.submit("consent-allow", "decision", "allow")
	b.mustCode()

	h.clock = h.clock.Add(time.Minute)
	b = h.browser()
	b.authorize("scope", "openid email")
	b.login("ada", password)
	b.must("/mfa", 200, `id="method-recovery"`)
	b.get("/mfa?" + strings.SplitN(hrefOf(t, b, "method-recovery"), "?", 2)[1])
	b.must("/mfa", 200, `name="method" value="recovery"`, `id="method-totp"`)
	b.submit("mfa-submit", "passcode", strings.ToLower(codes[3][1]))
	b.mustCode() // consent of the first time is remembered

	b.authorize("scope", "openid email", "prompt", "consent")
	b.must("/consent", 200)
	b.submit("consent-deny", "decision", "deny")
	if q := b.mustLeave(); q.Get("error") != "access_denied" || q.Get("code") != "" {
		t.Errorf("answer = %v, want access_denied", q)
	}
}

func hrefOf(t *testing.T, b *browser, id string) string {
	t.Helper()
	body := b.page.Body.String()
	at := strings.Index(body, `id="`+id+`"`)
	if at < 0 {
		t.Fatalf("no link %q", id)
	}
	return webtest.Attr(body[at:], "href")
}

func TestEveryWayLeadsOn(t *testing.T) {
	h := newHouse(t)
	h.client(always)
	h.user("ada", totpKey)
	b := h.browser()
	b.authorize()
	page, form := b.form("login-submit")
	id := page[strings.Index(page, "?"):]
	for _, ahead := range []string{"/mfa", "/enroll", "/consent", "/recovery-codes", "/continue", "/cancel", "/restart"} {
		b.get(ahead + id)
		b.must("/login", 200)
	}
	b.login("ada", password)
	b.must("/mfa", 200)
	b.get("/login" + id) // back button
	b.must("/mfa", 200)
	form.Set("username", "eve")
	form.Set("password", "anything")
	b.post(page, form) // a stale login form in a second tab changes nothing
	b.must("/mfa", 200, "ada@example.org")
	b.submit("restart")
	b.must("/login", 200)
	if strings.Contains(b.page.Body.String(), `value="ada`) {
		t.Errorf("somebody else wants to sign in, but the page remembers: %s", b.page.Body)
	}
	b.login("ada", password)
	b.submit("cancel")
	if q := b.mustLeave(); q.Get("error") != "access_denied" || q.Get("state") != "the-state" {
		t.Errorf("answer = %v, want access_denied with the state", q)
	}
	for _, dead := range []string{"/login", "/mfa", "/continue"} {
		b.get(dead + id)
		b.must("/continue", 410, "finished", `href="https://app.example/"`, `id="support-id"`)
	}
	b.post(page, form)
	b.must("/continue", 410)
}

func TestOtherBrowsersAndDeadRequests(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	h.user("ada", "")
	b := h.browser()
	b.authorize()
	page, _ := b.form("login-submit")
	other := h.browser()
	other.get(page)
	other.must("/login", 400, "sent no cookie")
	other.authorize() // has a cookie now, of its own
	other.get(page)
	other.must("/login", 400, "no longer open")
	foreign := other.page.Body.String()
	other.get("/login?requestId=00000000-0000-0000-0000-000000000000")
	other.must("/login", 400)
	if strip(foreign) != strip(other.page.Body.String()) {
		t.Error("another browser's request can be told from an unknown one")
	}
	other.get("/login")
	other.must("/login", 400, "Start at your application")
	other.get("/login?requestId=%22%3E%3Cscript%3E")
	other.must("/login", 400)
	h.clock = h.clock.Add(31 * time.Minute)
	b.login("ada", password)
	b.must("/login", 400, "no longer open")
}

// strip takes out what differs between any two pages.
func strip(body string) string {
	body = regexp.MustCompile(`[A-Z2-7]{4}(-[A-Z2-7]{4}){3}`).ReplaceAllString(body, "ID")
	body = regexp.MustCompile(`nonce="[A-Za-z0-9_-]{22}"`).ReplaceAllString(body, "nonce")
	return regexp.MustCompile(`requestId=[0-9a-f-]+`).ReplaceAllString(body, "requestId")
}

func TestThrottleSaysHowLong(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	h.user("ada", "")
	for _, name := range []string{"ada", "nobody"} {
		b := h.browser()
		b.authorize()
		for range 5 {
			b.login(name, "wrong")
			b.must("/login", 422)
		}
		b.login(name, password)
		b.must("/login", 429, "30 seconds", `id="support-id"`)
		if got := b.page.Header().Get("Retry-After"); got != "30" {
			t.Errorf("Retry-After for %s = %q, want 30", name, got)
		}
	}
}

func TestAuthorizeByPost(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	h.user("ada", "")
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	b.mustCode()
	kept := b.cookies
	b.cookies = map[string]string{} // a form of the client's site comes without our cookies
	r := httptest.NewRequest("POST", "/authorize", strings.NewReader(authorizeParams().Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	if w.Code != 303 || len(w.Result().Cookies()) != 0 {
		t.Fatalf("answer = %d with cookies %v, want a redirect that leaves cookies alone", w.Code, w.Result().Cookies())
	}
	b.cookies = kept
	b.get(w.Header().Get("Location"))
	b.mustCode()
	b.post("/authorize", authorizeParams())
	b.mustCode()
	b.post("/authorize?scope=openid", authorizeParams())
	b.must("/authorize", 400, `id="oauth-error"`, "invalid_request: ")
}

func TestAuthorizeErrors(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	b := h.browser()
	for _, tc := range []struct{ name, value, want string }{
		{"redirect_uri", "https://evil.example/cb", "redirect_uri"},
		{"client_id", "nobody", "client_id"},
	} {
		b.authorize(tc.name, tc.value)
		b.must("/authorize", 400, `id="oauth-error"`, tc.want)
		if strings.Contains(b.page.Body.String(), "evil.example") {
			t.Errorf("%s: the page names the foreign address: %s", tc.name, b.page.Body)
		}
	}
	b.authorize("prompt", "none")
	if q := b.mustLeave(); q.Get("error") != "login_required" {
		t.Errorf("answer = %v, want login_required", q)
	}
	b.authorize("redirect_uri", "x", "ui_locales", "de")
	b.must("/authorize", 400, `<html lang="de">`)
}

func TestLanguageOfTheRequest(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	b := h.browser()
	b.header.Set("Accept-Language", "en")
	b.authorize("ui_locales", "fr de")
	b.must("/login", 200, `<html lang="de">`)
	b.login("ada", "wrong")
	b.must("/login", 422, "Fehler: Name oder Passwort ist falsch")
}

func TestFormPost(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	h.user("ada", "")
	b := h.browser()
	b.authorize("response_mode", "form_post")
	b.login("ada", password)
	b.must("/login", 200, `action="https://app.example/cb"`, `name="code"`, `name="state" value="the-state"`, `form-post.js`)
	if got := b.page.Header().Get("Content-Security-Policy"); strings.Contains(got, "form-action") || !strings.Contains(got, "script-src 'nonce-") {
		t.Errorf("policy = %q, want the form and its script allowed", got)
	}
}

func TestLogout(t *testing.T) {
	h := newHouse(t)
	h.client(nil)
	h.user("ada", "")
	signIn := func() *browser {
		b := h.browser()
		b.authorize()
		b.login("ada", password)
		b.mustCode()
		return b
	}
	const session = "__Host-sallyport_session"
	b := signIn()
	b.get("/logout?state=s")
	b.must("/logout", 200, `id="logout-confirm"`, `id="logout-page"`)
	if b.cookies[session] == "" {
		t.Fatal("a link signed the person out")
	}
	action, form := b.form("logout-confirm")
	forged := url.Values{"confirm": {"yes"}, "csrf": {"forged"}}
	b.post(action, forged)
	b.must("/logout", 403)
	if b.cookies[session] == "" {
		t.Fatal("a forged form signed the person out")
	}
	token := b.cookies[session]
	b.post(action, form)
	b.must("/logged-out", 200, `id="logged-out"`)
	if b.cookies[session] != "" {
		t.Error("the session cookie is still there")
	}
	b.cookies[session] = token
	b.authorize()
	b.must("/login", 200) // the session is dead, not only its cookie

	b = signIn()
	hint := url.Values{"id_token_hint": {h.idToken(b.mustLeave())}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"s"}}
	kept := b.cookies
	b.cookies = map[string]string{} // as in a form posted by the client's site
	b.post("/logout", hint)
	b.must("/logout", 200, `id="form-post"`)
	if len(b.cookies) != 0 {
		t.Errorf("got cookies %v, want those of logins in other tabs left alone", b.cookies)
	}
	b.cookies = kept
	b.submit("form-post")
	if b.left != "https://app.example/bye?state=s" || b.cookies[session] != "" {
		t.Errorf("left to %q with the session %q, want the application and none", b.left, b.cookies[session])
	}

	b = signIn()
	hint.Set("id_token_hint", h.idToken(b.mustLeave()))
	b.get("/logout?" + hint.Encode())
	if b.left != "https://app.example/bye?state=s" || b.cookies[session] != "" {
		t.Errorf("left to %q with the session %q, want the application and none", b.left, b.cookies[session])
	}
	hint.Set("post_logout_redirect_uri", "https://evil.example/")
	b.get("/logout?" + hint.Encode())
	b.must("/logout", 400, `id="logout-page"`, "post_logout_redirect_uri")
	b.submit("logout-confirm")
	b.must("/logged-out", 200)

	b = signIn()
	b.get("/logout?post_logout_redirect_uri=https://evil.example/")
	b.must("/logout", 200) // without a hint of its client no redirect follows
	b.submit("logout-confirm")
	b.must("/logged-out", 200)
}
