package account

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/web/webtest"
)

const (
	mail   = "ada@example.org"
	masked = "a•••a@example.org"
)

// other is a code that differs from the given one.
func other(code string) string {
	zeros := strings.Repeat("0", len(code))
	if code == zeros {
		return zeros[1:] + "1"
	}
	return zeros
}

// unverifiedUser has an e-mail address that is not verified.
func (h *fixture) unverifiedUser() storage.UserID {
	h.T.Helper()
	u, err := h.Users.Create(context.Background(), mfa.Caller{}, users.Draft{Username: "ada", Email: mail, Password: password})
	h.OK(err)
	return u.ID
}

func TestCodesByMailAreASecondStep(t *testing.T) {
	h := mailFixture(t)
	id := h.unverifiedUser()
	b := h.browser()
	b.signIn("/account/add?method=email", "ada", id, "")
	b.Must("/account/add", 200, `value="`+mail+`"`, "Codes will be sent there")
	if strings.Contains(b.Page.Body.String(), `id="email-name"`) {
		t.Error("a name is required")
	}
	b.Submit("email-begin", "address", "not an address")
	b.Must("/account/add", 422, "This is not an e-mail address", `value="not an address"`)
	b.Submit("email-begin", "address", "wrong@example.org")
	b.Must("/account/add", 200, "We are sending a code to wrong@example.org")
	b.Submit("enroll-correct")
	b.Must("/account/add", 200, `value="wrong@example.org"`)
	b.Submit("email-begin", "address", mail)
	b.Must("/account/add", 200, "We are sending a code to "+mail, `data-delivery="/account/delivery"`, `data-form="email-confirm"`)
	_, form := b.Form(`id="email-submit"`)
	if strings.Contains(b.URL, form.Get("exchange")) || strings.Contains(b.URL, "example") {
		t.Errorf("address %s", b.URL)
	}
	ask := url.Values{"csrf": form["csrf"], "exchange": form["exchange"]}
	shown := b.Page
	for _, want := range []string{"sending", "failed"} {
		b.Post("/account/delivery", ask)
		if got := b.Page.Body.String(); b.Page.Code != 200 || got != `{"delivery":"`+want+`"}` {
			t.Errorf("delivery = %d %s, want %s", b.Page.Code, got, want)
		}
		h.Deliver(mail, false, h.Now())
	}
	ask.Set("exchange", "00000000-0000-0000-0000-000000000000")
	if b.Post("/account/delivery", ask); b.Page.Code != 409 {
		t.Errorf("delivery of an unknown exchange = %d", b.Page.Code)
	}
	b.Page = shown
	kept := b.Cookies
	b.Cookies = map[string]string{"__Host-sallyport_browser": kept["__Host-sallyport_browser"]}
	if b.Post("/account/delivery", ask); b.Page.Code != 409 || b.Page.Body.String() != `{"code":"not_signed_in"}` {
		t.Errorf("delivery without a session = %d %s", b.Page.Code, b.Page.Body)
	}
	b.Page, b.Cookies = shown, kept
	b.Submit("send-again")
	b.Must("/account/add", 429, "A new code cannot be sent yet", "could not be delivered to "+mail+". Check the address or number for typos", form.Get("exchange"))
	h.Wait(30 * time.Second)
	b.Submit("send-again")
	code, _ := h.SentCode(mail)
	b.Submit("email-submit", "passcode", other(code))
	b.Must("/account/add", 422, "only the newest code works")
	b.Submit("email-submit", "passcode", code)
	b.Must("/account/recovery", 200, `id="recovery-codes"`)
	b.Follow("recovery-done")
	b.Must("/account", 200, masked, "Rename "+masked, "Remove "+masked)
	if _, list, _ := strings.Cut(b.Page.Body.String(), `id="authenticators"`); strings.Contains(list, mail) {
		t.Errorf("the list shows the whole address: %s", b.Page.Body)
	}
	a := h.account(id)
	for _, i := range a.Identifiers {
		if i.Kind == storage.Email && i.VerifiedAt.IsZero() {
			t.Error("the address is not verified")
		}
	}
	factor := ""
	for _, x := range a.Authenticators {
		if x.Method == "email" {
			factor = string(x.ID)
		}
	}
	b.Get("/account/rename?id=" + factor)
	b.Submit("rename-submit", "name", "Work mail")
	b.Must("/account", 200, "Work mail", masked)
	b.Get("/account/remove?id=" + factor)
	b.Must("/account/remove", 200, "We will no longer send codes to "+masked)
	b.Submit("remove-submit")
	b.Must("/account", 200, "The address gets no more codes")
	if strings.Contains(b.Page.Body.String(), "Work mail") {
		t.Error("it is still listed")
	}
}

func TestTheCodeOfAnAccountBelongsToItsSession(t *testing.T) {
	h := mailFixture(t)
	id := h.unverifiedUser()
	b := h.browser()
	b.signIn("/account/add?method=email", "ada", id, "")
	b.Submit("email-begin")
	_, form := b.Form(`id="email-submit"`)
	second := h.browser()
	second.signIn("/account/add?method=email", "ada", id, "")
	_, own := second.Form(`id="email-begin"`)
	second.Post("/account/delivery", url.Values{"csrf": own["csrf"], "exchange": form["exchange"]})
	if second.Page.Code != 409 {
		t.Errorf("delivery to another session = %d %s", second.Page.Code, second.Page.Body)
	}
	stranger := h.browser()
	stranger.Post("/account/delivery", form)
	if stranger.Page.Code != 403 {
		t.Errorf("delivery without a session = %d", stranger.Page.Code)
	}
}

// What was begun can be loaded again, as after a visit to the mail or the app on the same telephone: with
// the same secret, in its session alone, and until it ends. Nothing is sent again.
func TestWhatIsPendingCanBeLoadedAgain(t *testing.T) {
	for name, way := range map[string]struct {
		path, begin, field, value, submit string
	}{
		"an app":     {"/account/add?method=totp", "totp-begin", "name", "Phone", "totp-submit"},
		"a factor":   {"/account/add?method=email", "email-begin", "address", mail, "email-submit"},
		"an address": {"/account/address?kind=email", "address-begin", "address", "second@example.org", "address-submit"},
	} {
		t.Run(name, func(t *testing.T) {
			h := mailFixture(t)
			id := h.User("ada", "")
			b := h.browser()
			b.signIn(way.path, "ada", id, "")
			b.Submit(way.begin, way.field, way.value)
			at := b.URL
			_, form := b.Form(`id="` + way.submit + `"`)
			secret := webtest.Attr(b.Page.Body.String(), "data-value")
			b.AddressHides(form.Get("exchange"), "example", secret)
			h.Wait(time.Minute)
			b.Get(at)
			b.Must(way.path[:strings.Index(way.path, "?")], 200, form.Get("exchange"), `id="language-de"`)
			if got := webtest.Attr(b.Page.Body.String(), "data-value"); got != secret {
				t.Error("the secret is another one")
			}
			if _, n := h.SentCode(way.value); n > 1 {
				t.Errorf("%d codes were sent", n)
			}
			second := h.browser()
			second.signIn(at, "ada", id, "")
			second.Must(way.path[:strings.Index(way.path, "?")], 200, `id="`+way.begin+`"`)
			h.Wait(11 * time.Minute)
			b.Get(at)
			b.Must(way.path[:strings.Index(way.path, "?")], 200, `id="`+way.begin+`"`)
			if strings.Contains(b.Page.Body.String(), form.Get("exchange")) {
				t.Error("what is over is shown")
			}
		})
	}
}

// Showing the forms sends nothing.
func TestShowingTheFieldForAnAddressSendsNothing(t *testing.T) {
	h := mailFixture(t)
	id := h.unverifiedUser()
	b := h.browser()
	b.signIn("/account/add?method=email", "ada", id, "")
	for _, path := range []string{"/account/add?method=email&address=" + mail, "/account/add?method=sms", "/account/delivery", "/account"} {
		b.Get(path)
	}
	if _, n := h.SentCode(mail); n != 0 || len(h.account(id).Authenticators) != 1 {
		t.Errorf("%d codes were sent, %d authenticators, want none and the password", n, len(h.account(id).Authenticators))
	}
}
