package login

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa/mfatest"
	"sallyport/storage"
	"sallyport/web/webtest"
)

const (
	mail   = "ada@example.org"
	masked = "a•••a@example.org"
)

// mailFixture is a fixture that sends codes, with an application that requires a second factor.
func mailFixture(t *testing.T) *fixture {
	t.Helper()
	h := newFixtureWith(t, mfatest.Options{Codes: true})
	h.client(always)
	return h
}

// sent is the code of the newest mail to an address, and how many there are.
func (h *fixture) sent(address string) (string, int) { return h.SentCode(address) }

// other is a code that differs from the given one.
func other(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// signIn begins a login and proves the password.
func (h *fixture) signIn(name string) *browser {
	h.T.Helper()
	b := h.browser()
	b.authorize()
	b.login(name, password)
	return b
}

// enrolled is a user who gets codes by mail.
func (h *fixture) enrolled(name string) {
	h.T.Helper()
	h.User(name, "")
	b := h.signIn(name)
	b.Submit("enroll-begin", "method", "email")
	b.Submit("enroll-send")
	code, _ := h.sent(name + "@example.org")
	b.Submit("enroll-submit", "passcode", code)
	b.Must("/recovery-codes", 200)
	b.Submit("recovery-done")
	b.mustCode(h.T.(*testing.T))
	h.Wait(2 * time.Minute)
}

// delivery asks what became of a code, as the script of the page does.
func (b *browser) delivery(form url.Values, at string) string {
	b.Post("/delivery"+at[strings.Index(at, "?"):], url.Values{"csrf": form["csrf"], "exchange": form["exchange"]})
	return b.Page.Body.String()
}

func TestEnrollingAnAddressInALogin(t *testing.T) {
	h := mailFixture(t)
	h.User("ada", "")
	b := h.signIn("ada")
	b.Must("/enroll", 200, "Code by e-mail", "Code by text message")
	b.Submit("enroll-begin", "method", "email")
	b.Must("/enroll", 200, `value="`+mail+`"`, `id="enroll-back"`) // a name of the user
	if _, n := h.sent(mail); n != 0 {
		t.Fatal("a code was sent before the user confirmed the address")
	}
	b.Submit("enroll-send", "address", "ada at example")
	b.Must("/enroll", 422, "This is not an e-mail address", `value="ada at example"`)
	b.Submit("enroll-send", "address", "")
	b.Must("/enroll", 422, "This is not an e-mail address")
	b.Submit("enroll-send", "address", "Wrong@Example.net")
	b.Must("/enroll", 200, "We are sending a code to wrong@example.net", `id="enroll-submit"`)
	b.Submit("enroll-correct")
	b.Must("/enroll", 200, `value="wrong@example.net"`)
	b.Submit("enroll-send", "address", mail)
	b.Must("/enroll", 200, "We are sending a code to "+mail)
	at, form := b.Form(`id="enroll-submit"`)
	b.Submit("send-again")
	b.Must("/enroll", 429, "A new code cannot be sent yet", "30 seconds", `data-pause="30"`, form.Get("exchange"))
	code, n := h.sent(mail)
	if n != 1 {
		t.Fatalf("%d codes, want 1", n)
	}
	b.Submit("enroll-submit", "passcode", other(code))
	b.Must("/enroll", 422, "only the newest code works", "We are sending a code to "+mail)
	if got := b.delivery(form, at); got != `{"delivery":"sending"}` {
		t.Errorf("delivery = %s", got)
	}
	b.Post(at, form) // without a code
	b.Must("/enroll", 422)
	h.Deliver(mail, true, h.Now())
	b.Submit("enroll-submit", "passcode", other(code))
	b.Must("/enroll", 422, "A code was sent to "+mail)
	h.Wait(30 * time.Second)
	b.Submit("send-again")
	b.Must("/enroll", 200, "We are sending a code to "+mail, `data-pause="60"`)
	code, _ = h.sent(mail)
	b.Submit("enroll-submit", "passcode", code[:3]+" "+code[3:])
	b.Must("/recovery-codes", 200)
}

func TestAnExpiredEnrollmentOfAnAddressBeginsAgain(t *testing.T) {
	h := mailFixture(t)
	h.User("ada", "")
	b := h.signIn("ada")
	b.Submit("enroll-begin", "method", "email")
	b.Submit("enroll-send", "address", "second@example.org")
	code, _ := h.sent("second@example.org")
	h.Wait(11 * time.Minute)
	b.Submit("enroll-submit", "passcode", code)
	b.Must("/enroll", 409, "The code from the e-mail is no longer valid", `id="enroll-send"`, `value="second@example.org"`)
}

// Whether another user has an address is not shown.
func TestEnrollingTheAddressOfAnotherUser(t *testing.T) {
	h := mailFixture(t)
	h.User("ada", "")
	h.enrolled("bob")
	h.Wait(2 * time.Hour)
	b := h.signIn("ada")
	b.Submit("enroll-begin", "method", "email")
	page, form := b.Form(`id="enroll-send"`)
	bodies := map[string]string{}
	for _, address := range []string{"bob@example.org", "eve@example.org"} {
		form.Set("address", address)
		b.Post(page, form)
		b.Must("/enroll", 200)
		_, ids := b.Form(`id="enroll-submit"`)
		body := regexp.MustCompile(`pending=[A-Za-z0-9_-]+`).ReplaceAllStringFunc(b.Page.Body.String(), func(s string) string { return strings.Repeat("p", len(s)) })
		bodies[address] = strip(strings.ReplaceAll(strings.ReplaceAll(body, address, "ADDRESS"), ids.Get("exchange"), "EXCHANGE"))
	}
	if bodies["bob@example.org"] != bodies["eve@example.org"] {
		t.Errorf("the page differs:\n%s\n%s", bodies["bob@example.org"], bodies["eve@example.org"])
	}
}

func TestPasswordAndACodeByMail(t *testing.T) {
	h := mailFixture(t)
	h.enrolled("ada")
	b := h.signIn("ada")
	b.Must("/mfa", 200, "Send a code to "+masked, `id="method-recovery"`)
	b.Submit("mfa-send", "send", "-", "passcode", "123456") // a code without an exchange
	b.Must("/mfa", 409, "Send a new code", `id="mfa-send"`)
	b.Submit("mfa-send")
	b.Must("/mfa", 200, "We are sending a code to "+masked, `data-pause="30"`)
	if got := b.Page.Code; got != 200 || !strings.Contains(b.URL, "method=email") {
		t.Fatalf("the code is asked for at %s, want an address that can be loaded again", b.URL)
	}
	at, form := b.Form(`id="mfa-submit"`)
	if strings.Contains(b.URL, form.Get("exchange")) || form.Get("exchange") == "" {
		t.Fatalf("exchange %q, at %s", form.Get("exchange"), b.URL)
	}
	old, n := h.sent(mail)
	b.Submit("send-again")
	b.Must("/mfa", 429, "A new code cannot be sent yet", "30 seconds", form.Get("exchange"))
	if got := b.Page.Header().Get("Retry-After"); got != "30" {
		t.Errorf("Retry-After = %q, want 30", got)
	}
	h.Wait(30 * time.Second)
	b.Submit("send-again")
	b.Must("/mfa", 200, "We are sending a code")
	_, again := h.sent(mail)
	if again != n+1 {
		t.Fatalf("%d codes, want %d", again, n+1)
	}
	b.Post(at, with(form, "passcode", old))
	b.Must("/mfa", 409, "That code is no longer valid", `id="send-again"`)
	if _, newest := b.Form(`id="mfa-submit"`); newest.Get("exchange") == form.Get("exchange") {
		t.Error("the page asks for a code that was replaced")
	}
	h.Wait(time.Minute)
	b.Submit("send-again")
	at, form = b.Form(`id="mfa-submit"`)
	code, _ := h.sent(mail)
	b.Submit("mfa-submit", "passcode", other(code))
	b.Must("/mfa", 422, "only the newest code works", "4 tries are left for this code.", form.Get("exchange"))
	b.Submit("mfa-submit", "passcode", code)
	b.mustCode(t)
	if log := h.Log.String(); strings.Contains(log, code) || strings.Contains(log, form.Get("exchange")) || strings.Contains(log, mail) {
		t.Errorf("log holds a secret: %s", log)
	}
	if got := b.delivery(form, at); b.Page.Code == 200 {
		t.Errorf("delivery of a finished login = %s", got)
	}
}

func with(form url.Values, name, value string) url.Values {
	out := url.Values{}
	for k, v := range form {
		out[k] = v
	}
	out.Set(name, value)
	return out
}

func TestAnExpiredCodeIsReplaced(t *testing.T) {
	h := mailFixture(t)
	h.enrolled("ada")
	b := h.signIn("ada")
	b.Submit("mfa-send")
	code, _ := h.sent(mail)
	h.Wait(10 * time.Minute)
	b.Submit("mfa-submit", "passcode", code)
	b.Must("/mfa", 422, "That code has expired", `id="mfa-send"`)
}

func TestDeliveryIsShown(t *testing.T) {
	h := mailFixture(t)
	h.enrolled("ada")
	for _, tc := range []struct {
		taken      bool
		json, text string
	}{
		{true, `{"delivery":"sent"}`, "A code was sent to " + masked},
		{false, `{"delivery":"failed"}`, "could not be delivered to " + masked + ". Choose another way below"},
	} {
		b := h.signIn("ada")
		b.Submit("mfa-send")
		at, form := b.Form(`id="mfa-submit"`)
		if got := b.delivery(form, at); got != `{"delivery":"sending"}` || b.Page.Code != 200 {
			t.Errorf("delivery = %d %s", b.Page.Code, got)
		}
		code, _ := h.sent(mail)
		h.Deliver(mail, tc.taken, h.Now())
		if got := b.delivery(form, at); got != tc.json {
			t.Errorf("delivery = %s, want %s", got, tc.json)
		}
		b.Post(at, with(form, "passcode", other(code)))
		b.Must("/mfa", 422, tc.text)

		// Only the browser of the login is told, and only of exchanges of this login.
		stranger := h.signIn("ada")
		own, foreign := stranger.Form(`id="mfa-send"`)
		if got := stranger.delivery(url.Values{"csrf": foreign["csrf"], "exchange": form["exchange"]}, at); stranger.Page.Code != 409 || got != `{"code":"unknown_request"}` {
			t.Errorf("delivery to another browser = %d %s", stranger.Page.Code, got)
		}
		if got := stranger.delivery(url.Values{"csrf": foreign["csrf"], "exchange": form["exchange"]}, own); stranger.Page.Code != 409 {
			t.Errorf("delivery to another login = %d %s", stranger.Page.Code, got)
		}
		b.delivery(url.Values{"exchange": form["exchange"]}, at)
		if b.Page.Code != 403 || !strings.HasPrefix(b.Page.Header().Get("Content-Type"), "application/json") {
			t.Errorf("delivery without the token of forms = %d", b.Page.Code)
		}
		h.Wait(time.Minute)
	}
}

// Showing a page sends nothing and counts nothing.
func TestOnlyAPostSendsACode(t *testing.T) {
	h := mailFixture(t)
	h.enrolled("ada")
	_, before := h.sent(mail)
	b := h.signIn("ada")
	at := b.URL
	u, err := url.Parse(at)
	h.OK(err)
	id := storage.RequestID(u.Query().Get("requestId"))
	state := func() storage.AuthRequest {
		r, _, err := h.Store.Request(context.Background(), id, "", h.Now())
		h.OK(err)
		return r
	}
	was := state()
	for _, q := range []string{"", "&method=email", "&method=email&send=yes", "&send=yes"} {
		b.Get(at + q)
		b.Must("/mfa", 200, `id="mfa-send"`)
	}
	b.Get("/delivery?" + strings.SplitN(at, "?", 2)[1])
	b.Must("/mfa", 200)
	if _, n := h.sent(mail); n != before || state().Initiations != was.Initiations || state().Version != was.Version {
		t.Errorf("%d codes and %d statuses, want %d and %d", n, state().Initiations, before, was.Initiations)
	}
	if webtest.Attr(b.Page.Body.String(), "id") == "" {
		t.Error("no page")
	}
}

// After sending, the page can be loaded again: by a reload, the back button, another tab or in another
// language. Nothing is sent again, and no address has the exchange.
func TestAPageWithACodeCanBeLoadedAgain(t *testing.T) {
	h := mailFixture(t)
	h.enrolled("ada")
	b := h.signIn("ada")
	b.Submit("mfa-send")
	_, form := b.Form(`id="mfa-submit"`)
	code, sent := h.sent(mail)
	at := b.URL
	for _, to := range []string{at, strings.Replace(at, "&method=email", "", 1)} {
		b.Get(to)
		b.Must("/mfa", 200, "We are sending a code to "+masked, `data-pause="30"`, form.Get("exchange"))
	}
	b.Must("/mfa", 200, `id="language-de"`) // which leads back here
	h.Wait(31 * time.Second)
	b.Get(at)
	if strings.Contains(b.Page.Body.String(), "data-pause") {
		t.Error("a new code still waits")
	}
	b.Get(strings.Replace(at, "method=email", "method=recovery", 1))
	b.Must("/mfa", 200, `id="method-email"`)
	if strings.Contains(b.Page.Body.String(), form.Get("exchange")) {
		t.Error("the exchange is shown for another method")
	}
	stranger := h.signIn("ada")
	if strings.Contains(stranger.Page.Body.String(), form.Get("exchange")) {
		t.Error("another login shows the code of this one")
	}
	stranger.Get(at)
	if stranger.Page.Code == 200 || strings.Contains(stranger.Page.Body.String(), form.Get("exchange")) {
		t.Errorf("another browser: %d %s", stranger.Page.Code, stranger.Page.Body)
	}
	if _, n := h.sent(mail); n != sent {
		t.Errorf("%d codes, want %d", n, sent)
	}
	b.Get(at)
	b.Submit("mfa-submit", "passcode", code)
	b.mustCode(t)
	b.Get(at)
	if b.Page.Code == 200 {
		t.Error("the page is shown after the login")
	}
}

func TestAnExpiredCodeIsNotAskedForAgain(t *testing.T) {
	h := mailFixture(t)
	h.enrolled("ada")
	b := h.signIn("ada")
	b.Submit("mfa-send")
	at := b.URL
	h.Wait(10 * time.Minute)
	b.Get(at)
	b.Must("/mfa", 200, `id="mfa-send"`)
}

func TestTooManyCodesOfOneUser(t *testing.T) {
	h := mailFixture(t)
	h.enrolled("ada")
	b := h.signIn("ada")
	for range 4 {
		b.Submit("mfa-send")
		b.Must("/mfa", 200, "We are sending")
		h.Wait(time.Minute)
		b = h.signIn("ada")
	}
	b.Submit("mfa-send")
	b.Must("/mfa", 429, "A new code cannot be sent yet", "59 minutes", `id="mfa-send"`, `id="method-recovery"`)
}
