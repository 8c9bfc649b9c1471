package selfservice_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func TestTwoAuthenticatorsOfDifferentShape(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreatePasswordUser()
	o := h.Session(u.ID, "password")
	first, err := h.EnrollAs(o, exchange.NewFactor{Method: "totp", Name: "Work phone"})
	mfatest.Want(t, "first", err, "")
	codes, err := h.ConfirmAs(o, first)
	mfatest.Want(t, "confirm first", err, "")
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes with the first factor, want 10", len(codes))
	}
	h.Advance(30 * time.Second)
	o = h.Session(u.ID, "password", "totp")
	second, err := h.EnrollAs(o, exchange.NewFactor{Method: "totp", Name: "Token", Shape: mfa.Shape{Algorithm: "SHA512", Digits: 8}})
	mfatest.Want(t, "second", err, "")
	if !strings.Contains(second.Handout.URI, "algorithm=SHA512") || !strings.Contains(second.Handout.URI, "digits=8") {
		t.Errorf("address = %s", second.Handout.URI)
	}
	codes, err = h.ConfirmAs(o, second)
	mfatest.Want(t, "confirm second", err, "")
	if codes != nil {
		t.Errorf("%d recovery codes with the second factor, want those there are to stay", len(codes))
	}
	h.Advance(30 * time.Second)
	for _, e := range []exchange.Enrolling{first, second} {
		id := h.SignedIn()
		p := h.Read(id, "")
		names := map[storage.AuthenticatorID]string{}
		for _, o := range h.Verifier.Options(p) {
			names[o.Authenticator] = o.Name
		}
		if names[e.Authenticator] != e.Text {
			t.Errorf("offered: %v, want %q among them", names, e.Text)
		}
		other := first.Authenticator
		if e.Authenticator == other {
			other = second.Authenticator
		}
		choice := exchange.Choice{Method: "totp", Authenticator: e.Authenticator}
		if _, err := h.Verifier.Prove(context.Background(), h.Caller, p, choice, "", mfa.Typed(h.AppCode(u.ID, other))); err == nil {
			t.Errorf("%s took the code of the other device", e.Text)
		}
		_, err = h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), choice, "", mfa.Typed(h.AppCode(u.ID, e.Authenticator)))
		mfatest.Want(t, e.Text, err, "")
		if v := h.Verdict(id); v.ACR != mfa.AAL2 || v.Factors[1].Authenticator != e.Authenticator {
			t.Errorf("verdict = %+v, want aal2 by %s", v, e.Text)
		}
	}
	_, err = h.EnrollAs(o, exchange.NewFactor{Method: "totp", Shape: mfa.Shape{Algorithm: "MD5", Digits: 6}})
	mfatest.Want(t, "an unknown shape", err, mfa.InvalidRequest)
}

// A stolen password must not add a factor after the owner has added one, even if the attacker
// started the enrolment first.
func TestAFactorConfirmedMeanwhileIsRequired(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreatePasswordUser()
	thief := h.Session(u.ID, "password")
	begun, err := h.EnrollAs(thief, totpOnly)
	mfatest.Want(t, "thief begins", err, "")
	id := h.SignedIn()
	own, err := h.Enroll(id)
	mfatest.Want(t, "owner begins in a login", err, "")
	mfatest.Want(t, "owner confirms", h.Confirm(id, own.Exchange, h.HandoutCode(own)), "")
	_, err = h.ConfirmAs(thief, begun)
	mfatest.Want(t, "thief confirms", err, mfa.ReauthenticationRequired)
}

func TestAnEnrolmentBelongsToItsSession(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreatePasswordUser()
	o, elsewhere := h.Session(u.ID, "password"), h.Session(u.ID, "password")
	other := h.Session(h.Create(users.Draft{Email: mfatest.OtherEmail, Password: mfatest.Password}).ID, "password")
	e, err := h.EnrollAs(o, totpOnly)
	mfatest.Want(t, "begin", err, "")
	for name, other := range map[string]mfa.Owner{"another session": elsewhere, "another user": other} {
		_, err := h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(other), e.Exchange, mfa.Typed(h.AppCode(u.ID, e.Authenticator)))
		mfatest.Want(t, name, err, mfa.EnrollmentExpired)
		_, err = h.Verifier.Enrollment(context.Background(), h.Caller, exchange.SignedIn(other), e.Exchange)
		mfatest.Want(t, name+" looks", err, mfa.EnrollmentExpired)
	}
	id := h.SignedIn()
	mfatest.Want(t, "in a login", h.Confirm(id, e.Exchange, h.AppCode(u.ID, e.Authenticator)), mfa.EnrollmentExpired)
	inLogin, err := h.Enroll(id)
	mfatest.Want(t, "begin in a login", err, "")
	_, err = h.ConfirmAs(o, inLogin)
	mfatest.Want(t, "that of a login here", err, mfa.EnrollmentExpired)
	h.Advance(10 * time.Minute)
	_, err = h.ConfirmAs(o, e)
	mfatest.Want(t, "too late", err, mfa.EnrollmentExpired)
}

func TestAnEnrolmentWithoutASessionBelongsToItsUser(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreatePasswordUser()
	o, other := h.Session(u.ID, "password"), h.Session(h.Create(users.Draft{Email: mfatest.OtherEmail, Password: mfatest.Password}).ID, "password")
	o.Session, other.Session, o.Origin = "", "", "dialect" // a token speaks for them
	e, err := h.EnrollAs(o, totpOnly)
	mfatest.Want(t, "begin", err, "")
	_, err = h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(other), e.Exchange, mfa.Typed(h.AppCode(u.ID, e.Authenticator)))
	mfatest.Want(t, "another user", err, mfa.EnrollmentExpired)
	inLogin, err := h.Enroll(h.SignedIn())
	mfatest.Want(t, "begin in a login", err, "")
	_, err = h.ConfirmAs(o, inLogin)
	mfatest.Want(t, "that of a login", err, mfa.EnrollmentExpired)
	_, err = h.ConfirmAs(o, e)
	mfatest.Want(t, "one's own", err, "")
}

func TestOnlyOneOfParallelConfirmationsSucceeds(t *testing.T) {
	h := mfatest.New(t)
	o := h.Session(h.CreatePasswordUser().ID, "password")
	e, err := h.EnrollAs(o, totpOnly)
	mfatest.Want(t, "begin", err, "")
	code := mfa.Typed(h.AppCode(o.Account.User.ID, e.Authenticator))
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, shown := 0, 0
	for range 4 {
		wg.Go(func() {
			codes, err := h.Verifier.Confirm(context.Background(), h.Caller, exchange.SignedIn(o), e.Exchange, code)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
				shown += len(codes)
			} else if mfa.CodeOf(err) == "" {
				t.Errorf("loser got %v, want a refusal", err)
			}
		})
	}
	wg.Wait()
	if won != 1 || shown != 10 {
		t.Fatalf("%d confirmed and %d codes shown, want one with ten", won, shown)
	}
}
