package passcode_test

import (
	"context"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// verified returns when the names of a user were verified.
func verified(h *mfatest.Fixture, id storage.UserID) map[string]bool {
	h.T.Helper()
	a, err := h.Store.Account(context.Background(), id)
	mfatest.Want(h.T, "read", err, "")
	out := map[string]bool{}
	for _, i := range a.Identifiers {
		out[i.Value] = !i.VerifiedAt.IsZero()
	}
	return out
}

func TestAConfirmedAddressIsAVerifiedName(t *testing.T) {
	h := newFixture(t)
	u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, Phone: "+14152222222", Password: mfatest.Password})
	o := h.Session(u.ID, "password")
	for _, n := range []exchange.NewFactor{{Method: "sms", Address: "+1 415 222 2223"}, {Method: "email", Address: "Ada@Example.com"}} {
		o := h.Session(u.ID, "password")
		e, err := h.EnrollAs(o, n)
		mfatest.Want(t, n.Address, err, "")
		if got := verified(h, u.ID); got[mfatest.Email] || got["+14152222222"] {
			t.Fatalf("verified before the code came back: %v", got)
		}
		if n.Method == "email" { // the other one is proven, but no name of the user
			code, _ := newest(h, mfatest.Email)
			_, err = h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
			mfatest.Want(t, "confirm", err, "")
		}
	}
	if got := verified(h, u.ID); !got[mfatest.Email] || got["+14152222222"] {
		t.Errorf("verified = %v, want the e-mail address alone", got)
	}
	if got := h.Verifier.Suggestion(o.Account, "email"); got != mfatest.Email {
		t.Errorf("suggestion = %q, want the name of the user", got)
	}
	if got := h.Verifier.Suggestion(h.Reload(o).Account, "email"); got != "" {
		t.Errorf("suggestion = %q, want none: it is enrolled", got)
	}
}

func TestAnAddressOfAnotherUserStaysTheirs(t *testing.T) {
	h := newFixture(t)
	other := h.Create(users.Draft{Email: mfatest.OtherEmail, Password: mfatest.Password})
	u := h.CreatePasswordUser()
	o := h.Session(u.ID, "password")
	e, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Address: mfatest.OtherEmail})
	mfatest.Want(t, "enrol", err, "")
	code, _ := newest(h, mfatest.OtherEmail)
	_, err = h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
	mfatest.Want(t, "confirm", err, "")
	if got := verified(h, other.ID); got[mfatest.OtherEmail] {
		t.Error("the name of another user was verified")
	}
}

func TestAPauseIsAsLongAsTheNextCodeIsRefused(t *testing.T) {
	h := newFixture(t)
	enrolled(h)
	for n, want := range []time.Duration{30 * time.Second, time.Minute, time.Minute, time.Hour} {
		id := h.SignedIn()
		s, err := h.Initiate(id, "", byMail)
		mfatest.Want(t, "send", err, "")
		_, err = h.Initiate(id, "", byMail)
		e, _ := err.(*mfa.Error)
		if e == nil || e.RetryAfter > s.Pause || s.Pause != want { // of two counters any one refuses
			t.Errorf("code %d: pause = %s, refusal = %v, want %s", n+2, s.Pause, err, want)
		}
		h.Advance(min(s.Pause, time.Minute))
	}
}

// A pause before a user is identified shows nothing of the user.
func TestPausesOfKnownAndUnknownNamesAreAlike(t *testing.T) {
	h := newFixture(t)
	u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, Password: mfatest.Password})
	enrollMail(h, u)
	requireTwo(h, u, false)
	unknown := h.UnknownUser("email")
	h.Policy.Passwordless = true
	choice := exchange.Choice{Method: "email", Usage: mfa.UsagePasswordless}
	for range 3 { // under another name; with the enrolment one less than an hour allows
		_, err := h.Initiate(h.OpenRequest(), "ada", choice)
		mfatest.Want(t, "ada", err, "")
		h.Advance(time.Minute)
	}
	for n := range 5 {
		var pauses []time.Duration
		for _, name := range []string{mfatest.Email, unknown} {
			s, err := h.Initiate(h.OpenRequest(), name, choice)
			mfatest.Want(t, name, err, "")
			pauses = append(pauses, s.Pause)
		}
		if pauses[0] != pauses[1] || pauses[0] == 0 {
			t.Errorf("code %d: pauses = %v, want two equal ones", n+1, pauses)
		}
		h.Advance(time.Minute)
	}
}

func TestDeliveryIsShownToItsLoginOnly(t *testing.T) {
	h := newFixture(t)
	u := enrolled(h)
	id := h.SignedIn()
	s, err := h.Initiate(id, "", byMail)
	mfatest.Want(t, "send", err, "")
	state := func(e exchange.Enrollee) (exchange.Delivery, error) {
		return h.Verifier.DeliveryIn(context.Background(), h.Caller, e, s.Exchange)
	}
	for _, e := range []exchange.Enrollee{h.Verifier.InLogin(h.Read(h.SignedIn(), "")), exchange.SignedIn(h.Session(u.ID, "password"))} {
		_, err := state(e)
		mfatest.Want(t, "another login or a session", err, mfa.InvalidExchange)
	}
	own := h.Verifier.InLogin(h.Read(id, ""))
	if got, err := state(own); err != nil || got != exchange.DeliverySending {
		t.Errorf("delivery = %q, %v; want sending", got, err)
	}
	h.Deliver(mfatest.Email, true, h.Now())
	if got, err := state(own); err != nil || got != exchange.DeliverySent {
		t.Errorf("delivery = %q, %v; want sent", got, err)
	}
}
