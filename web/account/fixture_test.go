package account

import (
	"context"
	"testing"
	"time"

	"sallyport/mfa/mfatest"
	passwords "sallyport/mfa/password"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web/login"
	"sallyport/web/page"
	"sallyport/web/webtest"
)

const (
	issuer   = "https://login.example"
	password = webtest.Password
	totpKey  = webtest.TOTPKey
	cookie   = "__Host-sallyport_session"
)

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// fixture is the account page beside the login pages, over a real database.
type fixture struct{ *webtest.Fixture }

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureWith(t, passwords.Options{})
}

// mailFixture sends codes.
func mailFixture(t testing.TB) *fixture {
	t.Helper()
	return openFixture(t, mfatest.Options{Codes: true})
}

// newFixtureWith has rules of its own for new passwords.
func newFixtureWith(t testing.TB, o passwords.Options) *fixture {
	t.Helper()
	o.Memory, o.Time, o.Parallel = 64, 1, 8
	return openFixture(t, mfatest.Options{Password: o})
}

func openFixture(t testing.TB, o mfatest.Options) *fixture {
	t.Helper()
	h := &fixture{webtest.New(t, t0, o,
		provider.Options{Issuer: issuer, BuiltIn: []storage.Client{Client(issuer, "Sallyport")}})}
	look, err := page.New(h.Keyring, page.Options{Issuer: issuer, Methods: h.Verifier.Methods(), Least: h.Password.MinLength(), Logger: h.Logger()}, login.Files(), Files())
	h.OK(err)
	pages := login.New(h.Provider, h.Verifier, h.Sessions, look)
	h.Serve(pages.Refusal, look, pages, New(h.Provider, h.Verifier, h.Accounts, h.Sessions, look, issuer))
	return h
}

func (h *fixture) account(id storage.UserID) storage.Account {
	h.T.Helper()
	a, err := h.Store.Account(context.Background(), id)
	h.OK(err)
	return a
}

// devices are the user's authenticator apps by name, pending ones included.
func (h *fixture) devices(id storage.UserID) map[string]storage.Authenticator {
	h.T.Helper()
	out := map[string]storage.Authenticator{}
	for _, a := range h.account(id).Authenticators {
		if a.Method == "totp" {
			out[a.Name] = a
		}
	}
	return out
}

// code is what the app on a device shows now.
func (h *fixture) code(id storage.UserID, name string) string {
	h.T.Helper()
	a, ok := h.devices(id)[name]
	if !ok {
		h.T.Fatalf("no device %q", name)
	}
	return h.TOTP.CodeOf(a, h.Now())
}

type browser struct {
	*webtest.Browser
	h *fixture
}

func (h *fixture) browser() *browser { return &browser{h.Browser(), h} }

// signIn opens a page of the account and signs in on the way, with a code if a device is
// given, or one without a name is required.
func (b *browser) signIn(path, name string, user storage.UserID, device string) {
	b.h.T.Helper()
	b.Get(path)
	b.Submit("login-submit", "username", name, "password", password)
	unnamed := false
	if user != "" && b.At == "/mfa" {
		_, unnamed = b.h.devices(user)[""]
	}
	if device != "" || unnamed {
		b.Submit("mfa-submit", "passcode", b.h.code(user, device))
		b.h.Wait(30 * time.Second) // to the next code
	}
}

// csrf is the CSRF token of this browser.
func (b *browser) csrf() string {
	b.h.T.Helper()
	b.Get("/account/password")
	_, form := b.Form(`id="password-submit"`)
	return form.Get("csrf")
}
