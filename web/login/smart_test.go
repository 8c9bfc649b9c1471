package login

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"sallyport/mfa"
	mails "sallyport/mfa/notice"
	"sallyport/storage"
)

func smart(c *storage.Client) { c.MFA = mfa.MFASmart }

// news returns what the end of the newest login says was new about it.
func (h *fixture) news() string {
	h.T.Helper()
	h.OK(h.Journal.Flush(context.Background()))
	events, err := h.Store.ListEvents(context.Background(), storage.EventFilter{Kind: mfa.EventLoginFinished, Limit: 1})
	h.OK(err)
	return events[0].Detail["new"]
}

// code enters the current code of ada.
func (h *fixture) code(b *browser) {
	h.Wait(time.Minute)
	b.Submit("mfa-submit", "passcode", h.Code(totpKey))
}

func TestSMARTAsksWhenSomethingIsNew(t *testing.T) {
	h := newFixture(t)
	h.client(smart)
	h.User("ada", totpKey)
	b := h.browser()
	b.Address = "192.0.2.10"
	login := func() {
		t.Helper()
		h.Wait(time.Second)
		delete(b.Cookies, sessionCookie)
		b.authorize()
		b.login("ada", password)
	}
	want := func(news string, asks bool) {
		t.Helper()
		if asks {
			b.Must("/mfa", 200)
			if b.Cookies[sessionCookie] != "" {
				t.Fatal("the password alone left a session (M-7)")
			}
			h.code(b)
		}
		b.mustCode(t)
		if got := h.news(); got != news {
			t.Errorf("new = %q, want %q", got, news)
		}
	}
	login()
	want("device,user", true)
	login()
	want("nothing", false)
	b.Address = "192.0.2.200" // the same /24
	login()
	want("nothing", false)
	b.Address = "198.51.100.1"
	login()
	want("network", true)
	login()
	want("nothing", false)
	b.Address = "192.0.2.10"
	login()
	want("nothing", false)

	// Failures of others, which anybody can cause, ask nobody for anything; those in the browser do.
	other := h.browser()
	other.Address = "203.0.113.5"
	other.authorize()
	other.login("ada", "wrong")
	other.Must("/login", 422)
	login()
	want("nothing", false)
	delete(b.Cookies, sessionCookie)
	b.authorize()
	b.login("ada", "wrong")
	b.Must("/login", 422)
	login()
	b.Get("/mfa?" + b.URL[len("/mfa?"):]) // the success has cleared the failure; the login has not forgotten it
	want("failures", true)
	login()
	want("nothing", false)
}

func TestSMARTAsksInANewCountry(t *testing.T) {
	h := newFixture(t)
	h.client(smart)
	h.User("ada", totpKey)
	in := map[string]string{}
	h.Country = func(address string) string { return in[address] }
	b := h.browser()
	for _, step := range []struct{ address, country, news string }{
		{"192.0.2.1", "", "device,user"},
		{"192.0.2.1", "DE", "nothing"}, // the file is new: a familiar network has the country that it had
		{"198.51.100.1", "DE", "network,country"},
		{"203.0.113.1", "DE", "network"},
		{"10.9.8.7", "", "network"},
		{"10.8.7.6", "FR", "network,country"},
		{"10.8.7.6", "FR", "nothing"},
		{"10.7.6.5", "DE", "network"},
	} {
		h.Wait(time.Second)
		delete(b.Cookies, sessionCookie)
		b.Address, in[step.address] = step.address, step.country
		b.authorize()
		b.login("ada", password)
		if step.news != "nothing" {
			b.Must("/mfa", 200)
			h.code(b)
		}
		b.mustCode(t)
		if got := h.news(); got != step.news {
			t.Errorf("at %s in %q: new = %q, want %q", step.address, step.country, got, step.news)
		}
	}
}

func TestWhatIsFamiliarEnds(t *testing.T) {
	ends := map[string]func(h *fixture, ada storage.UserID){
		"a changed password": func(h *fixture, ada storage.UserID) {
			a, err := h.Store.Account(context.Background(), ada)
			h.OK(err)
			h.OK(h.Users.SetPassword(context.Background(), mfa.Caller{Actor: "admin"}, a, password))
		},
		"sign-out everywhere": func(h *fixture, ada storage.UserID) {
			h.OK(h.Store.EndSessions(context.Background(), ada, "", false, h.Now(), nil))
		},
		"a removed factor": func(h *fixture, ada storage.UserID) {
			other := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(rand.Reader)), UserID: ada, Method: "totp", State: storage.AuthenticatorActive,
				Secret: []byte(totpKey), CreatedAt: h.Now(), UpdatedAt: h.Now()}
			h.OK(h.Store.PutAuthenticator(context.Background(), other, nil, nil))
			h.OK(h.Store.DeleteAuthenticator(context.Background(), storage.Removal{UserID: ada, Authenticator: other.ID, Now: h.Now()}))
		},
		"90 days": func(h *fixture, _ storage.UserID) { h.Wait(90 * 24 * time.Hour) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.client(smart)
			ada := h.User("ada", totpKey)
			b := h.browser()
			b.authorize()
			b.login("ada", password)
			h.code(b)
			b.mustCode(t)
			login := func() {
				delete(b.Cookies, sessionCookie)
				b.authorize()
				b.login("ada", password)
			}
			h.Wait(59 * 24 * time.Hour)
			login()
			b.mustCode(t)
			end(h, ada)
			login()
			b.Must("/mfa", 200)
			h.code(b)
			b.mustCode(t)
			login()
			b.mustCode(t)
		})
	}
}

func TestAPasswordAloneMakesNothingFamiliar(t *testing.T) {
	h := newFixture(t)
	h.client(smart)
	h.client(func(c *storage.Client) { c.ID = "open" })
	h.User("ada", totpKey)
	thief := h.browser()
	thief.authorize("client_id", "open")
	thief.login("ada", password)
	thief.mustCode(t)
	thief.authorize()
	thief.Must("/mfa", 200) // single sign-on
	delete(thief.Cookies, sessionCookie)
	thief.authorize()
	thief.login("ada", password)
	thief.Must("/mfa", 200)

	owner := h.browser()
	owner.authorize()
	owner.login("ada", password)
	h.code(owner)
	owner.mustCode(t)
	h.User("eve", totpKey)
	delete(owner.Cookies, sessionCookie)
	owner.authorize()
	owner.login("eve", password)
	owner.Must("/mfa", 200) // familiar to ada alone
}

func TestASignInInANewBrowserIsReported(t *testing.T) {
	h := newFixture(t)
	h.client(smart)
	h.client(func(c *storage.Client) { c.ID = "open" })
	ada := h.User("ada", totpKey)
	sent := func() int {
		t.Helper()
		list, err := h.Store.ListMessages(context.Background(), storage.MessageFilter{Limit: 100})
		h.OK(err)
		n := 0
		for _, m := range list {
			if m.Template == mails.NewDevice {
				n++
			}
		}
		return n
	}
	first := h.browser()
	first.authorize()
	first.login("ada", password)
	h.code(first)
	first.mustCode(t)
	if n := sent(); n != 0 {
		t.Errorf("after the first login of %s: %d mails, want none", ada, n)
	}
	second := h.browser()
	for range 2 {
		second.authorize("client_id", "open")
		second.login("ada", password)
		second.mustCode(t)
		delete(second.Cookies, sessionCookie)
		if n := sent(); n != 1 {
			t.Fatalf("after a login in a new browser: %d mails, want one", n)
		}
	}
	third := h.browser()
	third.authorize()
	third.login("ada", password)
	third.Must("/mfa", 200)
	if n := sent(); n != 1 {
		t.Errorf("a login that has not ended sent a mail: %d", n)
	}
	h.code(third)
	third.mustCode(t)
	if n := sent(); n != 2 {
		t.Errorf("after a login with two steps in a third browser: %d mails, want two", n)
	}
}
