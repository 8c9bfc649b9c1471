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

// Conformance (OpenID Connect): Core 3.1.2.1: module oidcc-login-hint: the name is filled in
func TestPasswordAndTOTP(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", totpKey)
	b := h.browser()
	b.authorize("login_hint", "ada")
	b.Must("/login", 200, `value="ada"`, "Lighthouse Shop")
	b.login("ada", "wrong")
	b.Must("/login", 422, `id="error"`, "Wrong name or password")
	b.login("ada", password)
	b.Must("/mfa", 200, `id="mfa-submit"`, "ada@example.org")
	if b.Cookies["__Host-sallyport_session"] != "" {
		t.Fatal("the password alone left a session (M-7)")
	}
	b.Submit("mfa-submit", "passcode", "000000")
	b.Must("/mfa", 422, "That code is wrong", `name="exchange"`)
	b.Submit("mfa-submit", "passcode", "12345")
	b.Must("/mfa", 422, "Check what you typed")
	code := h.Code(totpKey)
	b.Submit("mfa-submit", "passcode", " "+code[:3]+" "+code[3:]+" ")
	b.mustCode(t)
	if b.Cookies["__Host-sallyport_session"] == "" || b.Cookies["__Host-sallyport_device"] == "" {
		t.Fatalf("cookies = %v, want session and device", b.Cookies)
	}
	if log := h.Log.String(); strings.Contains(log, password) || strings.Contains(log, code) || strings.Contains(log, "requestId") {
		t.Errorf("log holds a secret: %s", log)
	}

	b.authorize()
	b.mustCode(t) // signed in already: no page at all
	h.Wait(2 * time.Second)
	b.authorize("prompt", "login")
	b.Must("/login", 200, "ada@example.org")
	b.login("ada", password)
	b.Must("/mfa", 200)
	b.Submit("mfa-submit", "passcode", code)
	b.Must("/mfa", 422, "already used")
	h.Wait(time.Minute)
	b.Submit("mfa-submit", "passcode", h.Code(totpKey))
	b.mustCode(t)
}

var listed = regexp.MustCompile(`<li><code>([^<]+)</code>`)

func TestEnrollmentRecoveryAndConsent(t *testing.T) {
	h := newFixture(t)
	h.client(func(c *storage.Client) { c.MFA, c.Consent = mfa.MFAAlways, "ask" })
	h.User("ada", "")
	b := h.browser()
	b.authorize("scope", "openid email")
	b.login("ada@example.org", password)
	b.Must("/enroll", 200, `id="enroll-begin"`)
	b.Submit("enroll-begin")
	b.Must("/enroll", 200, `id="enroll-qr"`, `id="enroll-open"`)
	key := webtest.Attr(b.Page.Body.String()[strings.Index(b.Page.Body.String(), `id="enroll-secret"`):], "data-value")
	b.Submit("enroll-submit", "passcode", "000000")
	b.Must("/enroll", 422, "That code is wrong", `data-value="`+key+`"`) // the same secret: no need to scan again
	stale, form := b.Form(`id="enroll-submit"`)
	b.Submit("enroll-submit", "passcode", h.Code(key))
	b.Must("/recovery-codes", 200, `id="recovery-done"`)
	codes := listed.FindAllStringSubmatch(b.Page.Body.String(), -1)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes, want 10", len(codes))
	}
	b.Post(stale, form) // sent again from a second tab
	b.Must("/recovery-codes", 200, codes[0][1])
	b.Submit("recovery-done")
	b.Must("/consent", 200, "see your e-mail address", `id="consent-deny"`, `name="scope" value="email" checked`, `until you sign out`)
	b.Submit("consent-allow", "decision", "perhaps")
	b.Must("/consent", 200)
	b.Submit("consent-allow", "decision", "allow")
	b.mustCode(t)

	h.Wait(time.Minute)
	b = h.browser()
	b.authorize("scope", "openid email")
	b.login("ada", password)
	b.Must("/mfa", 200, `id="method-recovery"`)
	b.Get("/mfa?" + strings.SplitN(hrefOf(t, b, "method-recovery"), "?", 2)[1])
	b.Must("/mfa", 200, `name="method" value="recovery"`, `id="method-totp"`)
	b.Submit("mfa-submit", "passcode", strings.ToLower(codes[3][1]))
	b.mustCode(t) // the consent is remembered

	b.authorize("scope", "openid email", "prompt", "consent")
	b.Must("/consent", 200)
	b.Submit("consent-deny", "decision", "deny")
	if q := b.MustLeave(callback); q.Get("error") != "access_denied" || q.Get("code") != "" {
		t.Errorf("response = %v, want access_denied", q)
	}
}

func hrefOf(t *testing.T, b *browser, id string) string {
	t.Helper()
	body := b.Page.Body.String()
	at := strings.Index(body, `id="`+id+`"`)
	if at < 0 {
		t.Fatalf("no link %q", id)
	}
	return webtest.Attr(body[at:], "href")
}

func TestPagesOfOtherStepsRedirect(t *testing.T) {
	h := newFixture(t)
	h.client(always)
	h.User("ada", totpKey)
	b := h.browser()
	b.authorize()
	page, form := b.Form(`id="login-submit"`)
	id := page[strings.Index(page, "?"):]
	for _, ahead := range []string{"/mfa", "/enroll", "/offer", "/consent", "/recovery-codes", "/continue", "/cancel", "/restart", "/delivery"} {
		b.Get(ahead + id)
		b.Must("/login", 200)
	}
	b.login("ada", password)
	b.Must("/mfa", 200)
	b.Get("/login" + id) // back button
	b.Must("/mfa", 200)
	form.Set("username", "eve")
	form.Set("password", "anything")
	b.Post(page, form) // a stale login form in a second tab changes nothing
	b.Must("/mfa", 200, "ada@example.org")
	b.Submit("restart")
	b.Must("/login", 200)
	if strings.Contains(b.Page.Body.String(), `value="ada`) {
		t.Errorf("another user wants to sign in, but the page shows the previous one: %s", b.Page.Body)
	}
	b.login("ada", password)
	b.Submit("cancel")
	if q := b.MustLeave(callback); q.Get("error") != "access_denied" || q.Get("state") != "the-state" {
		t.Errorf("response = %v, want access_denied with the state", q)
	}
	for _, dead := range []string{"/login", "/mfa", "/continue"} {
		b.Get(dead + id)
		b.Must("/continue", 410, "finished", `href="https://app.example/"`, `id="support-id"`)
	}
	b.Post(page, form)
	b.Must("/continue", 410)
}

func TestOtherBrowsersAndDeadRequests(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	b := h.browser()
	b.authorize()
	page, _ := b.Form(`id="login-submit"`)
	other := h.browser()
	other.Get(page)
	other.Must("/login", 400, "sent no cookie")
	other.authorize() // has its own cookie now
	other.Get(page)
	other.Must("/login", 400, "no longer open")
	foreign := other.Page.Body.String()
	other.Get("/login?requestId=00000000-0000-0000-0000-000000000000&client_id=shop")
	other.Must("/login", 400, `href="https://app.example/"`)
	if strip(foreign) != strip(other.Page.Body.String()) {
		t.Error("another browser's request differs from an unknown one")
	}
	other.Get("/login")
	other.Must("/login", 400, "Open your application to sign in", `href="/account"`)
	other.Get("/login?requestId=%22%3E%3Cscript%3E")
	other.Must("/login", 400)
	h.Wait(31 * time.Minute)
	b.login("ada", password)
	b.Must("/login", 400, "no longer open", `href="https://app.example/"`)
	b.Get("/login?client_id=unknown")
	b.Must("/login", 400, `href="/account"`)
}

// A browser has the address of a login among its bookmarks, or opens it again with its windows.
func TestAnAddressOfALoginNamesItsApplication(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	b := h.browser()
	b.authorize()
	bookmark := b.URL
	h.Wait(365 * 24 * time.Hour)
	for _, later := range []*browser{b, h.browser()} {
		later.authorize("client_id", "unknown")
		later.Must("/authorize", 400, `href="/account"`)
		later.Get(bookmark)
		later.Must("/login", 400, "no longer open", `id="home" href="https://app.example/"`, "Lighthouse Shop")
	}
}

func TestFrontPageLeadsToTheAccount(t *testing.T) {
	h := newFixture(t)
	b := h.browser()
	b.Get("/")
	b.Must("/", 200, "Applications send you here", `id="account" href="/account"`, `href="/docs/api"`)
	if len(b.Cookies) != 0 {
		t.Errorf("got cookies %v, want none", b.Cookies)
	}
	b.Get("/no-such-page")
	b.Must("/no-such-page", 404, `id="account" href="/account"`)
}

// strip removes what differs between any two pages.
func strip(body string) string {
	body = regexp.MustCompile(`[A-Z2-7]{4}(-[A-Z2-7]{4}){3}`).ReplaceAllString(body, "ID")
	body = regexp.MustCompile(`nonce="[A-Za-z0-9_-]{22}"`).ReplaceAllString(body, "nonce")
	return regexp.MustCompile(`requestId=[0-9A-Za-z_-]+`).ReplaceAllString(body, "requestId")
}

func TestThrottleSaysHowLong(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	for _, name := range []string{"ada", "nobody"} {
		b := h.browser()
		b.authorize()
		for range 5 {
			b.login(name, "wrong")
			b.Must("/login", 422)
		}
		b.login(name, password)
		b.Must("/login", 429, "30 seconds", `id="support-id"`)
		if got := b.Page.Header().Get("Retry-After"); got != "30" {
			t.Errorf("Retry-After for %s = %q, want 30", name, got)
		}
	}
}

// Conformance (OpenID Connect): Core 3.1.2.1: module oidcc-ensure-post-request-succeeds: a request by form is one by address
func TestAuthorizeByPost(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	b := h.browser()
	b.authorize()
	b.login("ada", password)
	b.mustCode(t)
	kept := b.Cookies
	b.Cookies = map[string]string{} // a form of the client's site sends no cookies
	r := httptest.NewRequest("POST", "/authorize", strings.NewReader(authorizeParams().Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	if w.Code != 303 || len(w.Result().Cookies()) != 0 {
		t.Fatalf("response = %d with cookies %v, want a redirect without cookies", w.Code, w.Result().Cookies())
	}
	b.Cookies = kept
	b.Get(w.Header().Get("Location"))
	b.mustCode(t)
	b.Post("/authorize", authorizeParams())
	b.mustCode(t)
	b.Post("/authorize?scope=openid", authorizeParams())
	b.Must("/authorize", 400, `id="oauth-error"`, "invalid_request: ")
}

func TestAuthorizeErrors(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	b := h.browser()
	for _, tc := range []struct{ name, value, want string }{
		{"redirect_uri", "https://evil.example/cb", "redirect_uri"},
		{"client_id", "nobody", "client_id"},
	} {
		b.authorize(tc.name, tc.value)
		b.Must("/authorize", 400, `id="oauth-error"`, tc.want)
		if strings.Contains(b.Page.Body.String(), "evil.example") {
			t.Errorf("%s: the page names the foreign address: %s", tc.name, b.Page.Body)
		}
	}
	b.authorize("prompt", "none")
	if q := b.MustLeave(callback); q.Get("error") != "login_required" {
		t.Errorf("response = %v, want login_required", q)
	}
	b.authorize("redirect_uri", "x", "ui_locales", "de")
	b.Must("/authorize", 400, `<html lang="de">`)
}

func TestLanguageOfTheRequest(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	b := h.browser()
	b.Header.Set("Accept-Language", "en")
	b.authorize("ui_locales", "fr de")
	b.Must("/login", 200, `<html lang="de">`)
	b.login("ada", "wrong")
	b.Must("/login", 422, "Fehler: Name oder Passwort ist falsch")
}

// Conformance (OpenID Connect): Form Post Response Mode 2: plan oidcc-formpost-basic-certification-test-plan: the response is a form that goes on by itself, or by its button
func TestFormPost(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	b := h.browser()
	b.authorize("response_mode", "form_post")
	b.login("ada", password)
	b.Must("/login", 200, `action="https://app.example/cb"`, `name="code"`, `name="state" value="the-state"`, `form-post.js`)
	if got := b.Page.Header().Get("Content-Security-Policy"); strings.Contains(got, "form-action") || !strings.Contains(got, "script-src 'nonce-") {
		t.Errorf("policy = %q, want the form and its script allowed", got)
	}
}

// Conformance (OpenID Connect): RP-Initiated Logout 2: modules oidcc-rp-initiated-logout-no-params, oidcc-rp-initiated-logout-only-state: the user confirms, and sees that they are signed out
func TestLogout(t *testing.T) {
	h := newFixture(t)
	h.client(nil)
	h.User("ada", "")
	signIn := func() *browser {
		b := h.browser()
		b.authorize()
		b.login("ada", password)
		b.mustCode(t)
		return b
	}
	const session = "__Host-sallyport_session"
	b := signIn()
	b.Get("/logout?state=s")
	b.Must("/logout", 200, `id="logout-confirm"`, `id="logout-page"`)
	if b.Cookies[session] == "" {
		t.Fatal("a link signed the person out")
	}
	action, form := b.Form(`id="logout-confirm"`)
	forged := url.Values{"confirm": {"yes"}, "csrf": {"forged"}}
	b.Post(action, forged)
	b.Must("/logout", 403)
	if b.Cookies[session] == "" {
		t.Fatal("a forged form signed the person out")
	}
	token := b.Cookies[session]
	b.Post(action, form)
	b.Must("/logged-out", 200, `id="logged-out"`)
	if b.Cookies[session] != "" {
		t.Error("the session cookie is still there")
	}
	b.Cookies[session] = token
	b.authorize()
	b.Must("/login", 200) // the session has ended, not only its cookie

	b = signIn()
	hint := url.Values{"id_token_hint": {h.idToken(b.MustLeave(callback))}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"s"}}
	kept := b.Cookies
	b.Cookies = map[string]string{} // as in a form posted by the client's site
	b.Post("/logout", hint)
	b.Must("/logout", 200, `id="form-post"`)
	if len(b.Cookies) != 0 {
		t.Errorf("got cookies %v, want those of logins in other tabs unchanged", b.Cookies)
	}
	b.Cookies = kept
	b.Submit("form-post")
	if b.Left != "https://app.example/bye?state=s" || b.Cookies[session] != "" {
		t.Errorf("left to %q with the session %q, want the application and none", b.Left, b.Cookies[session])
	}

	b = signIn()
	hint.Set("id_token_hint", h.idToken(b.MustLeave(callback)))
	b.Get("/logout?" + hint.Encode())
	if b.Left != "https://app.example/bye?state=s" || b.Cookies[session] != "" {
		t.Errorf("left to %q with the session %q, want the application and none", b.Left, b.Cookies[session])
	}
	hint.Set("post_logout_redirect_uri", "https://evil.example/")
	b.Get("/logout?" + hint.Encode())
	b.Must("/logout", 400, `id="logout-page"`, "post_logout_redirect_uri")
	b.Submit("logout-confirm")
	b.Must("/logged-out", 200)

	b = signIn()
	b.Get("/logout?post_logout_redirect_uri=https://evil.example/")
	b.Must("/logout", 200, `id="stay" href="/account"`) // no redirect follows without a client
	b.Submit("logout-confirm")
	b.Must("/logged-out", 200, `id="again" href="/account"`)

	b = signIn()
	b.Get("/logout?client_id=shop&post_logout_redirect_uri=https://app.example/bye&state=s")
	b.Must("/logout", 200, `id="logout-confirm"`, `id="stay" href="https://app.example/"`)
	b.Submit("logout-confirm")
	if b.Left != "https://app.example/bye?state=s" || b.Cookies[session] != "" {
		t.Errorf("left to %q with the session %q, want the application and none", b.Left, b.Cookies[session])
	}
	b.Get("/logout?client_id=shop&post_logout_redirect_uri=https://app.example/bye&state=s")
	if b.Left != "https://app.example/bye?state=s" {
		t.Errorf("left to %q, want the application: no user is signed in", b.Left)
	}
	b.Get("/logout?client_id=shop")
	b.Must("/logged-out", 200, `id="again" href="https://app.example/"`)
}
