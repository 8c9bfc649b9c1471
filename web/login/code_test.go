package login

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// alone is an application in which a code can replace the password.
func alone(c *storage.Client) { c.Passwordless = true }

// codeFixture is a fixture that sends codes, with such an application and a user who gets codes by
// mail and does not require two factors.
func codeFixture(t *testing.T) *fixture {
	t.Helper()
	return codeFixtureOn(t, "")
}

// codeFixtureOn is codeFixture over the empty database of a DSN.
func codeFixtureOn(t *testing.T, dsn string) *fixture {
	t.Helper()
	h := newFixtureWith(t, mfatest.Options{Codes: true, DSN: dsn})
	h.withCodes("ada", false)
	h.client(alone)
	return h
}

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, h *fixture)) {
	t.Run("SQLite", func(t *testing.T) { test(t, codeFixture(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, codeFixtureOn(t, storagetest.Postgres(t))) })
}

// withCodes is a user who gets codes by mail.
func (h *fixture) withCodes(name string, two bool) storage.UserID {
	h.T.Helper()
	h.client(always)
	h.enrolled(name)
	a, err := h.Store.AccountByIdentifier(context.Background(), name, h.Now())
	h.OK(err)
	h.OK(h.Store.UpdateUser(context.Background(), storage.UserChange{ID: a.User.ID, MFAEnabled: &two, Now: h.Now()}))
	h.Wait(2 * time.Hour) // limits of messages
	return a.User.ID
}

// claims are those of an ID token.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var out map[string]any
	if err != nil || json.Unmarshal(text, &out) != nil {
		t.Fatalf("ID token = %s", token)
	}
	return out
}

// sessions are those of a user.
func (h *fixture) sessions(name string) []storage.Session {
	h.T.Helper()
	a, err := h.Store.AccountByIdentifier(context.Background(), name, h.Now())
	h.OK(err)
	all, err := h.Store.SessionsOf(context.Background(), a.User.ID, h.Now())
	h.OK(err)
	return all
}

// begin begins a login by name and method.
func (h *fixture) begin(name, method string) *browser {
	h.T.Helper()
	b := h.browser()
	b.authorize()
	b.Press("login-"+method, "username", name)
	return b
}

// A user who requires two factors gets a code in place of the password, and is then asked for
// another factor. Both show something the user has, and the tokens say no more.
func TestACodeThenTheSecondFactor(t *testing.T) {
	onBoth(t, func(t *testing.T, h *fixture) {
		id := h.withCodes("bob", true)
		h.client(alone)
		eve, err := h.Store.Account(context.Background(), h.User("eve", totpKey))
		h.OK(err)
		app := *mfa.Attempt{Account: &eve}.Active("totp")
		app.ID, app.UserID = storage.AuthenticatorID(storage.Random128(rand.Reader)), id
		h.OK(h.Store.PutAuthenticator(context.Background(), app, nil, nil))
		b := h.begin("bob", "email")
		code, _ := h.sent("bob@example.org")
		b.Submit("code-submit", "passcode", code)
		b.Must("/mfa", 200)
		if b.Cookies[sessionCookie] != "" || len(h.sessions("bob")) != 0 {
			t.Fatal("the code alone left a session")
		}
		if strings.Contains(b.Page.Body.String(), `id="method-email"`) {
			t.Error("the factor that was proven is offered again")
		}
		b.Submit("mfa-submit", "passcode", code)
		b.Must("/mfa", 422)
		h.code(b)
		c := claims(t, h.idToken(b.MustLeave(callback)))
		if c["acr"] != "aal1" || fmt.Sprint(c["amr"]) != "[otp]" {
			t.Errorf("acr %v and amr %v, want what was proven", c["acr"], c["amr"])
		}
	})
}

func TestSigningInWithACodeByMail(t *testing.T) {
	h := codeFixture(t)
	b := h.browser()
	b.authorize()
	b.Must("/login", 200, "Or sign in without your password", `id="login-email"`, `id="login-sms"`, `id="login-totp"`)
	if strings.Contains(b.Page.Body.String(), `id="login-recovery"`) {
		t.Error("recovery codes are offered in place of the password")
	}
	b.Press("login-email", "username", "Ada", "password", "typed first") // which is not looked at
	b.Must("/code", 200, `<strong id="code-name">ada</strong>`, "If this account gets codes by e-mail", `autocomplete="one-time-code"`, `data-pause="30"`)
	_, form := b.Form(`id="code-submit"`)
	code, n := h.sent(mail)
	u, err := url.Parse(b.URL)
	h.OK(err)
	shown := strings.ReplaceAll(b.URL, u.Query().Get("requestId"), "") // which may have the three letters
	if strings.Contains(b.URL, form.Get("exchange")) || strings.Contains(shown, "ada") {
		t.Fatalf("the address %s has a secret or the name", b.URL)
	}
	at := b.URL
	b.Get(at) // a reload
	b.Must("/code", 200, form.Get("exchange"), `<strong id="code-name">ada</strong>`, `data-pause="30"`)
	b.Press("send-again")
	b.Must("/code", 429, "A new code cannot be sent yet", "30 seconds", form.Get("exchange"))
	b.Submit("code-submit", "passcode", "12")
	b.Must("/code", 422, "Check what you typed", form.Get("exchange"))
	b.Submit("code-submit", "passcode", other(code))
	b.Must("/code", 422, "only the newest code works", "4 tries are left for this code.", form.Get("exchange"), `aria-invalid="true"`)
	if _, again := h.sent(mail); again != n {
		t.Fatalf("%d codes, want %d", again, n)
	}
	b.Submit("code-submit", "passcode", code[:3]+" "+code[3:])
	b.mustCode(t)
	if got := claims(t, h.idToken(b.MustLeave(callback))); got["acr"] != "aal1" || fmt.Sprint(got["amr"]) != "[otp]" {
		t.Errorf("claims = %v, want one factor", got)
	}
	b.Get(at)
	if b.Page.Code == 200 {
		t.Error("the page is shown after the login")
	}
	if log := h.Log.String(); strings.Contains(log, code) || strings.Contains(log, form.Get("exchange")) {
		t.Errorf("log holds a secret: %s", log)
	}
}

func TestAnotherWayThanTheCode(t *testing.T) {
	h := codeFixture(t)
	h.User("bob", totpKey)
	b := h.begin("bob", "email")
	b.Must("/code", 200, `id="code-totp"`, `id="code-sms"`, `id="code-password"`)
	b.Press("code-totp")
	b.Must("/code", 200, "Open your authenticator app", `<strong id="code-name">bob</strong>`)
	b.Press("code-password")
	b.Must("/login", 200, `value="bob"`)
	if strings.Contains(b.Page.Body.String(), `id="error"`) {
		t.Error("the page shows an error")
	}
	b.login("bob", password)
	b.mustCode(t)

	b = h.begin("bob", "totp")
	b.Submit("code-submit", "passcode", h.Code(totpKey))
	b.mustCode(t)
	b = h.begin("ada", "email")
	b.Follow("code-other-name")
	b.Must("/login", 200)
	b.Press("login-email")
	b.Must("/code", 422, "Your name is missing")
}

func TestAnExpiredCodeInPlaceOfThePassword(t *testing.T) {
	h := codeFixture(t)
	b := h.begin("ada", "email")
	at := b.URL
	_, form := b.Form(`id="code-submit"`)
	code, _ := h.sent(mail)
	h.Wait(10 * time.Minute)
	b.Post("/code"+at[strings.Index(at, "?"):], with(form, "passcode", code))
	b.Must("/code", 422, "That code has expired", `id="code-begin"`, `value="ada"`)
	b.Press("code-begin")
	b.Must("/code", 200, `id="code-submit"`)
	h.Wait(10 * time.Minute)
	b.Get(at)
	b.Must("/login", 200)
}

// Where an application, a request or a user requires more, a code does not replace the password.
func TestACodeReplacesNoPasswordWhereMoreIsRequired(t *testing.T) {
	h := codeFixture(t)
	for name, tc := range map[string]struct {
		client func(*storage.Client)
		params []string
	}{
		"not allowed":        {client: nil},
		"two factors":        {client: func(c *storage.Client) { c.Passwordless, c.MFA = true, mfa.MFAAlways }},
		"an essential level": {client: alone, params: []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"aal2"}}}`}},
		"no such method":     {client: func(c *storage.Client) { c.Passwordless, c.AllowedMethods = true, []string{"password", "recovery"} }},
	} {
		h.client(tc.client)
		b := h.browser()
		b.authorize(tc.params...)
		b.Must("/login", 200)
		if strings.Contains(b.Page.Body.String(), `"/code`) {
			t.Errorf("%s: a code is offered", name)
		}
		to, form := b.Form(`id="login-submit"`)
		_, before := h.sent(mail)
		b.Post(strings.Replace(to, "/login", "/code", 1), with(with(form, "username", "ada"), "method", "email"))
		b.Must("/login", 200)
		if _, n := h.sent(mail); n != before {
			t.Errorf("%s: a code was sent", name)
		}
	}
}

// What the page shows, costs and counts is the same for every name.
func TestAPageForACodeRevealsNobody(t *testing.T) { onBoth(t, revealsNobody) }

func revealsNobody(t *testing.T, h *fixture) {
	h.withCodes("dora", true)
	gone := h.withCodes("carl", false)
	status := storage.UserDisabled
	h.OK(h.Store.UpdateUser(context.Background(), storage.UserChange{ID: gone, Status: &status, Now: h.Now()}))
	h.User("bill", "")
	h.User("toni", totpKey)
	h.client(alone)
	for _, method := range []string{"totp", "email", "sms"} { // an app first: no failures are counted yet
		all := map[string][]string{}
		for _, name := range []string{"ada", "bill", "carl", "dora", "toni", "nobody"} {
			all[name] = h.trace(name, method)
		}
		for name, got := range all {
			for i, step := range got {
				if want := all["nobody"][i]; step != want {
					t.Errorf("%s of %s, step %d:\n%s\nwant as for an unknown name\n%s", method, name, i, step, want)
				}
			}
		}
	}
}

// trace is what a stranger sees of a name, step by step, and how much the database was asked.
func (h *fixture) trace(name, method string) []string {
	h.T.Helper()
	var out []string
	b := h.browser()
	b.authorize()
	before := h.Store.Stats()
	step := func() {
		now := h.Store.Stats()
		body := strip(b.Page.Body.String())
		body = regexp.MustCompile(`(name="(?:csrf|exchange)" value=)"[^"]+"`).ReplaceAllString(body, "$1")
		out = append(out, fmt.Sprintf("%s %d, %d statements, %d commits, Retry-After %q\n%s", b.At, b.Page.Code, now.Statements-before.Statements,
			now.Commits-before.Commits, b.Page.Header().Get("Retry-After"), strings.ReplaceAll(body, name, "NAME")))
		before = h.Store.Stats()
	}
	b.Press("login-"+method, "username", name)
	step()
	at := b.URL
	b.Get(at)
	step()
	to, form := b.Form(`id="code-submit"`)
	b.Press("code-submit") // without a code
	step()
	b.Post(to, with(with(form, "passcode", "000000"), "exchange", ""))
	step()
	for range 6 {
		b.Post(to, with(form, "passcode", "000000"))
		step()
	}
	b.Get(at)
	step()
	h.Wait(20 * time.Minute)
	b.Post(to, with(form, "passcode", "000000"))
	step()
	h.Wait(2 * time.Hour)
	return out
}

// Whoever begins a login with the name of another user cannot end it, and has no use of the code that
// the user gets; nor is the user's own login ended by it.
func TestACodeIsOfTheLoginThatItWasSentFor(t *testing.T) { onBoth(t, ofItsLogin) }

func ofItsLogin(t *testing.T, h *fixture) {
	before := len(h.sessions("ada"))
	attacker := h.begin("ada", "email")
	to, form := attacker.Form(`id="code-submit"`)
	code, _ := h.sent(mail)

	victim := h.browser()
	victim.Post(to, with(form, "passcode", code)) // a link to the attacker's login
	if victim.Page.Code == 200 || victim.Left != "" || len(h.sessions("ada")) != before {
		t.Errorf("the victim is at %s with %d", victim.At, victim.Page.Code)
	}
	victim.authorize()
	own, fields := victim.Form(`id="login-submit"`)
	stolen := url.Values{"csrf": fields["csrf"], "username": {"ada"}, "method": {"email"}, "exchange": form["exchange"], "passcode": {code}}
	victim.Post(strings.Replace(own, "/login", "/code", 1), stolen)
	victim.Must("/code", 409)
	for _, fields := range []url.Values{with(form, "username", "nobody"), with(form, "method", "sms"), with(form, "exchange", "")} {
		attacker.Post(to, with(fields, "passcode", code))
		if attacker.Page.Code < 400 || attacker.Left != "" {
			t.Errorf("%v: at %s with %d, left to %q", fields, attacker.At, attacker.Page.Code, attacker.Left)
		}
	}
	h.Wait(time.Minute)
	victim = h.begin("ada", "email")
	mine, _ := h.sent(mail)
	for range 3 { // one of a million pairs of codes is equal
		if mine != code {
			break
		}
		h.Wait(time.Minute)
		victim = h.begin("ada", "email")
		mine, _ = h.sent(mail)
	}
	attacker.Post(to, with(form, "passcode", mine))
	attacker.Must("/code", 422)
	victim.Submit("code-submit", "passcode", mine)
	victim.mustCode(t)
}
