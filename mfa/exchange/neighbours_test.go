package exchange_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
)

// Others at an address do not keep a user out of a browser that they signed in with before,
// whether they mistype or guess.
func TestNeighboursDoNotKeepAUserOutOfTheirBrowser(t *testing.T) {
	for name, others := range map[string]func(h *mfatest.Fixture){
		"eleven colleagues with a typo each": func(h *mfatest.Fixture) {
			for i := range 11 {
				mfatest.Want(h.T, "typo", h.SignIn(h.OpenRequest(), fmt.Sprintf("colleague%d", i), "a typo"), mfa.InvalidCredentials)
			}
		},
		"a guesser of names": func(h *mfatest.Fixture) {
			for i := range 300 {
				_ = h.SignIn(h.OpenRequest(), fmt.Sprintf("guess%d", i), "spring2026!")
			}
		},
		"a guesser of the user's own name": func(h *mfatest.Fixture) {
			for range 120 {
				_ = h.SignIn(h.OpenRequest(), mfatest.Email, "guess guess guess")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := mfatest.New(t)
			spent := false // the budget of the network
			h.Open(exchange.Options{Admit: func(_ mfa.Caller, of string, _ int) time.Duration {
				if spent && of == budget.Failures {
					return time.Minute
				}
				return 0
			}})
			u := h.CreateAda()
			h.Caller.Address = "192.0.2.7"
			others(h)
			spent = true
			stranger := h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password)
			if c := mfa.CodeOf(stranger); c != mfa.TooMany && c != mfa.TooManyRequests {
				t.Fatalf("another browser there: %v, want a wait", stranger)
			}
			h.Caller.Device = h.Sessions.Remember("", u.ID)
			id := h.OpenRequest()
			mfatest.Want(t, "the user's browser", h.SignIn(id, mfatest.Email, mfatest.Password), "")
			_, err := h.Prove(id, "totp", h.Code(0), "")
			mfatest.Want(t, "the second factor there", err, "")
		})
	}
}

// The cookie of one user opens no other account, and its own counter stays.
func TestABrowserIsKnownToItsOwnUserOnly(t *testing.T) {
	h := mfatest.New(t)
	h.Open(exchange.Options{AddressMaxSubjects: 3})
	h.CreateAda()
	mallory := h.Create(users.Draft{Email: mfatest.OtherEmail, Password: "another harbour at dusk"})
	h.Caller.Address = "192.0.2.7"
	h.Caller.Device = h.Sessions.Remember("", mallory.ID)
	for i := range 4 {
		mfatest.Want(t, "guess", h.SignIn(h.OpenRequest(), fmt.Sprintf("guess%d", i), "spring2026!"), mfa.InvalidCredentials)
	}
	mfatest.Want(t, "another user", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.TooMany)
	mfatest.Want(t, "the user of the browser", h.SignIn(h.OpenRequest(), mfatest.OtherEmail, "another harbour at dusk"), "")
	mfatest.Want(t, "another user afterwards", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), mfa.TooMany)
	for range 5 {
		mfatest.Want(t, "wrong", h.SignIn(h.OpenRequest(), mfatest.OtherEmail, "guess guess guess"), mfa.InvalidCredentials)
	}
	mfatest.Want(t, "its own wait", h.SignIn(h.OpenRequest(), mfatest.OtherEmail, "another harbour at dusk"), mfa.TooMany)
}

// A success takes back what the user failed at the address, and nothing else.
func TestASuccessTakesBackItsOwnFailures(t *testing.T) {
	h := mfatest.New(t)
	h.Open(exchange.Options{AddressMaxSubjects: 3, AddressMax: 9})
	h.CreateAda()
	h.Create(users.Draft{Email: mfatest.OtherEmail, Password: "another harbour at dusk"})
	h.Caller.Address = "192.0.2.7"
	fails := func(name string, times int) {
		t.Helper()
		for range times {
			mfatest.Want(t, name, h.SignIn(h.OpenRequest(), name, "a typo"), mfa.InvalidCredentials)
		}
	}
	for range 10 { // a day at the office
		fails(mfatest.Email, 2)
		id := h.OpenRequest()
		mfatest.Want(t, "ada", h.SignIn(id, mfatest.Email, mfatest.Password), "")
		_, err := h.Prove(id, "totp", h.Wrong(), "")
		mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
		_, err = h.Prove(id, "totp", h.Code(0), "")
		mfatest.Want(t, "a right code", err, "")
		h.Advance(30 * time.Second)
	}
	// A guesser with an account of their own wins nothing by signing in between.
	for _, name := range []string{"u1", "u2", "u3"} {
		fails(name, 1)
		fails(mfatest.OtherEmail, 1)
		if name == "u3" {
			break
		}
		mfatest.Want(t, "own account", h.SignIn(h.OpenRequest(), mfatest.OtherEmail, "another harbour at dusk"), "")
	}
	mfatest.Want(t, "a fourth name", h.SignIn(h.OpenRequest(), "u4", "a typo"), mfa.TooMany)
	mfatest.Want(t, "flush", h.Journal.Flush(context.Background()), "")
}
