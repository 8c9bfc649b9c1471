package login

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/delivery"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/passkey/passkeytest"
	"sallyport/mfa/signup"
	"sallyport/storage"
	"sallyport/web/page"
)

// Where a client takes passkeys alone, the form has no password, and takes none.
func TestTheFormOfASignUpHasWhatTheClientAllows(t *testing.T) {
	host := strings.TrimPrefix(issuer, "https://")
	h := newFixtureWith(t, mfatest.Options{Passkeys: host})
	u := signup.New(h.Store, h.Users, h.Keyring, h.Journal, h.Now, rand.Reader, signup.Options{Product: "Sallyport", Page: issuer + SignUpPath, Mode: signup.Open, Life: time.Hour,
		Client: h.Provider.Client, Methods: h.Verifier.Methods(), Passkeys: h.Passkey})
	look, err := page.New(h.Keyring, page.Options{Issuer: issuer, Methods: h.Verifier.Methods(), Logger: h.Logger()}, Files())
	h.OK(err)
	pages := New(h.Provider, h.Verifier, h.Sessions, look).WithSignUps(u)
	h.Serve(pages.Refusal, look, pages)
	allow := func(methods ...string) { h.client(func(c *storage.Client) { c.AllowedMethods = methods }) }

	allow("passkey")
	b := h.browser()
	b.Get("/signup?client_id=shop")
	b.Submit("signup-submit", "email", "new@example.com")
	jobs, err := h.Store.LeaseMessages(t.Context(), storage.Lease{Kind: signup.Kind, Now: h.Now(), For: time.Hour, Limit: 10})
	h.OK(err)
	for _, m := range jobs {
		h.OK(u.Send(t.Context(), delivery.Outgoing{ID: m.ID, Kind: m.Kind, Locale: m.Locale, Data: m.Data}))
	}
	link := strings.TrimPrefix(h.Sent("signup")[0].Data["link"], issuer)
	shows := func(password, passkey bool) {
		t.Helper()
		body := b.Page.Body.String()
		if got := strings.Contains(body, `name="new"`); got != password {
			t.Errorf("a field for a password: %t, want %t", got, password)
		}
		if got := strings.Contains(body, `id="create-passkey"`); got != passkey {
			t.Errorf("a button for a passkey: %t, want %t", got, passkey)
		}
	}
	allow()
	b.Get(link)
	shows(true, true)
	allow("password")
	b.Get(link)
	shows(true, false)
	allow()
	b.Get(link)
	allow("passkey")
	b.Submit("create-submit", "new", "seven ships at sea", "repeat", "seven ships at sea")
	b.Must("/signup/create", 409, `id="error"`)
	shows(false, true)
	b.Submit("create-passkey", "passkey", "yes")
	b.Must("/signup/create", 200, `id="create-ask"`, "Back to the form")
	b.respond(t, "create-ask", mfa.Response(`{"id":"AA"}`))
	b.Must("/signup/create", 422, "The passkey was not created")
	if strings.Contains(b.Page.Body.String(), "choose a password") {
		t.Error("the page offers what the client does not take")
	}
	b.Submit("create-passkey", "passkey", "yes")
	r, err := passkeytest.New(host, issuer).Create(b.options(t))
	h.OK(err)
	b.respond(t, "create-ask", r)
	b.Must("/signed-up", 200)
}
