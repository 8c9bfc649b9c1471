package mfa_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

var totpOnly = mfa.NewFactor{Method: "totp", Name: "Phone"}

func TestWhatAChangeOfFactorsAsksFor(t *testing.T) {
	for _, tc := range []struct {
		name string
		held bool // a second factor
		with []string
		age  time.Duration
		code mfa.Code
	}{
		{"first enrolment with a young password", false, []string{"password"}, 15 * time.Minute, ""},
		{"first enrolment with an old password", false, []string{"password"}, 15*time.Minute + time.Second, mfa.ReauthenticationRequired},
		{"nothing proven at all", false, nil, 0, mfa.ReauthenticationRequired},
		{"the password alone where there is a factor", true, []string{"password"}, 0, mfa.ReauthenticationRequired},
		{"the factor alone", true, []string{"totp"}, 0, mfa.ReauthenticationRequired},
		{"both, young", true, []string{"password", "totp"}, 5 * time.Minute, ""},
		{"both, six minutes ago", true, []string{"password", "totp"}, 5*time.Minute + time.Second, mfa.ReauthenticationRequired},
		{"a recovery code in place of the factor", true, []string{"password", "recovery"}, time.Minute, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			var u storage.User
			if tc.held {
				u = h.ada()
			} else {
				u = h.bob()
			}
			o := h.session(u.ID, tc.with...)
			h.wait(tc.age)
			want(t, "fresh", h.verifier.Fresh(o), tc.code)
			_, err := h.enrolFor(o, totpOnly)
			want(t, "enrol", err, tc.code)
			if !tc.held {
				return
			}
			_, err = h.verifier.NewRecoveryCodes(context.Background(), h.visit, o)
			want(t, "new codes", err, tc.code)
			held := h.verifier.Held(o.Account)
			at := slices.IndexFunc(held, func(x mfa.Held) bool { return x.Info.Enrolls })
			if code := mfa.CodeOf(h.verifier.Remove(context.Background(), h.visit, o, held[at].ID, false)); code != tc.code {
				t.Errorf("remove: %q, want %q", code, tc.code)
			}
		})
	}
}

func TestTwoDevicesOfDifferentShape(t *testing.T) {
	h := newHouse(t)
	u := h.bob()
	o := h.session(u.ID, "password")
	first, err := h.enrolFor(o, mfa.NewFactor{Method: "totp", Name: "Work phone"})
	want(t, "first", err, "")
	codes, err := h.confirmFor(o, first)
	want(t, "confirm first", err, "")
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes with the first factor, want 10", len(codes))
	}
	h.wait(30 * time.Second)
	o = h.session(u.ID, "password", "totp")
	second, err := h.enrolFor(o, mfa.NewFactor{Method: "totp", Name: "Token", Shape: mfa.Shape{Algorithm: "SHA512", Digits: 8}})
	want(t, "second", err, "")
	if !strings.Contains(second.Handout.URI, "algorithm=SHA512") || !strings.Contains(second.Handout.URI, "digits=8") {
		t.Errorf("address = %s", second.Handout.URI)
	}
	codes, err = h.confirmFor(o, second)
	want(t, "confirm second", err, "")
	if codes != nil {
		t.Errorf("%d recovery codes with the second factor, want those there are to stay", len(codes))
	}
	h.wait(30 * time.Second)
	for _, e := range []mfa.Enrolling{first, second} {
		id := h.loggedIn()
		p := h.proving(id, "")
		names := map[storage.AuthenticatorID]string{}
		for _, o := range h.verifier.Options(p) {
			names[o.Authenticator] = o.Name
		}
		if names[e.Authenticator] != e.Text {
			t.Errorf("offered: %v, want %q among them", names, e.Text)
		}
		other := first.Authenticator
		if e.Authenticator == other {
			other = second.Authenticator
		}
		choice := mfa.Choice{Method: "totp", Authenticator: e.Authenticator}
		if _, err := h.verifier.Prove(context.Background(), h.visit, p, choice, "", mfa.Typed(h.shows(u.ID, other))); err == nil {
			t.Errorf("%s took the code of the other device", e.Text)
		}
		_, err = h.verifier.Prove(context.Background(), h.visit, h.proving(id, ""), choice, "", mfa.Typed(h.shows(u.ID, e.Authenticator)))
		want(t, e.Text, err, "")
		if v := h.verdict(id); v.ACR != mfa.AAL2 || v.Counted[1].Authenticator != e.Authenticator {
			t.Errorf("verdict = %+v, want aal2 by %s", v, e.Text)
		}
	}
	_, err = h.enrolFor(o, mfa.NewFactor{Method: "totp", Shape: mfa.Shape{Algorithm: "MD5", Digits: 6}})
	want(t, "a shape nobody has", err, mfa.InvalidRequest)
}

// A password stolen before the owner had a factor must not be good for another one
// afterwards, whichever of the two was begun first.
func TestAFactorConfirmedMeanwhileIsAskedFor(t *testing.T) {
	h := newHouse(t)
	u := h.bob()
	thief := h.session(u.ID, "password")
	begun, err := h.enrolFor(thief, totpOnly)
	want(t, "thief begins", err, "")
	id := h.loggedIn()
	own, err := h.enrol(id)
	want(t, "owner begins in a login", err, "")
	want(t, "owner confirms", h.confirm(id, own.Exchange, h.phone(own)), "")
	_, err = h.confirmFor(thief, begun)
	want(t, "thief confirms", err, mfa.ReauthenticationRequired)
}

func TestAnEnrolmentIsItsSessionsOwn(t *testing.T) {
	h := newHouse(t)
	u := h.bob()
	o, elsewhere := h.session(u.ID, "password"), h.session(u.ID, "password")
	stranger := h.session(h.create(mfa.Draft{Email: otherMail, Password: ownPass}).ID, "password")
	e, err := h.enrolFor(o, totpOnly)
	want(t, "begin", err, "")
	for name, other := range map[string]mfa.Owner{"another session": elsewhere, "another user": stranger} {
		_, err := h.verifier.ConfirmFor(context.Background(), h.visit, other, e.Exchange, mfa.Typed(h.shows(u.ID, e.Authenticator)))
		want(t, name, err, mfa.EnrollmentExpired)
		_, err = h.verifier.PendingFor(context.Background(), h.visit, other, e.Exchange)
		want(t, name+" looks", err, mfa.EnrollmentExpired)
	}
	id := h.loggedIn()
	want(t, "in a login", h.confirm(id, e.Exchange, h.shows(u.ID, e.Authenticator)), mfa.EnrollmentExpired)
	inLogin, err := h.enrol(id)
	want(t, "begin in a login", err, "")
	_, err = h.confirmFor(o, inLogin)
	want(t, "that of a login here", err, mfa.EnrollmentExpired)
	h.wait(10 * time.Minute)
	_, err = h.confirmFor(o, e)
	want(t, "too late", err, mfa.EnrollmentExpired)
}

func TestAnEnrolmentWithoutASessionIsItsUsersOwn(t *testing.T) {
	h := newHouse(t)
	u := h.bob()
	o, stranger := h.session(u.ID, "password"), h.session(h.create(mfa.Draft{Email: otherMail, Password: ownPass}).ID, "password")
	o.Session, stranger.Session, o.Origin = "", "", "dialect" // a token speaks for them
	e, err := h.enrolFor(o, totpOnly)
	want(t, "begin", err, "")
	_, err = h.verifier.ConfirmFor(context.Background(), h.visit, stranger, e.Exchange, mfa.Typed(h.shows(u.ID, e.Authenticator)))
	want(t, "another user", err, mfa.EnrollmentExpired)
	inLogin, err := h.enrol(h.loggedIn())
	want(t, "begin in a login", err, "")
	_, err = h.confirmFor(o, inLogin)
	want(t, "that of a login", err, mfa.EnrollmentExpired)
	_, err = h.confirmFor(o, e)
	want(t, "one's own", err, "")
}

func TestRacingConfirmationsHaveOneWinner(t *testing.T) {
	h := newHouse(t)
	o := h.session(h.bob().ID, "password")
	e, err := h.enrolFor(o, totpOnly)
	want(t, "begin", err, "")
	code := mfa.Typed(h.shows(o.Account.User.ID, e.Authenticator))
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, shown := 0, 0
	for range 4 {
		wg.Go(func() {
			codes, err := h.verifier.ConfirmFor(context.Background(), h.visit, o, e.Exchange, code)
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

func TestRemovingAFactor(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	o, elsewhere := h.session(u.ID, "password", "totp"), h.session(u.ID, "password", "totp")
	held := h.verifier.Held(o.Account)
	device := held[slices.IndexFunc(held, func(x mfa.Held) bool { return x.Info.Enrolls })].ID
	second, err := h.enrolFor(o, totpOnly)
	want(t, "add a second", err, "")
	_, err = h.confirmFor(o, second)
	want(t, "confirm it", err, "")

	o = *h.again(o)
	want(t, "remove, keeping sessions", h.verifier.Remove(context.Background(), h.visit, o, device, false), "")
	if h.again(elsewhere) == nil {
		t.Error("the other session ended unasked")
	}
	want(t, "the removed device proved nothing", h.verifier.Fresh(*h.again(elsewhere)), mfa.ReauthenticationRequired)
	want(t, "the one added here was proven", h.verifier.Fresh(*h.again(o)), "")
	h.wait(30 * time.Second)
	_, err = h.verifier.Prove(context.Background(), h.visit, h.proving(h.loggedIn(), ""), mfa.Choice{Method: "totp", Authenticator: device}, "", mfa.Typed(h.code(0)))
	want(t, "the removed device", err, mfa.NotConfigured)
	_, err = h.prove(h.loggedIn(), "totp", h.code(0), "")
	want(t, "its code", err, mfa.InvalidPasscode)
	account, _ := h.store.Account(context.Background(), u.ID)
	if !account.User.MFAEnabled {
		t.Error("the wish for a second factor went with one of two")
	}

	o = h.session(u.ID, "password", "totp")
	want(t, "remove the last, ending sessions", h.verifier.Remove(context.Background(), h.visit, o, second.Authenticator, true), "")
	if h.again(elsewhere) != nil || h.again(o) == nil {
		t.Error("want every other session ended, and this one alive")
	}
	account, _ = h.store.Account(context.Background(), u.ID)
	if account.User.MFAEnabled || len(account.Authenticators) != 1 {
		t.Errorf("wish %v, %d authenticators, want the password alone", account.User.MFAEnabled, len(account.Authenticators))
	}
	_, err = h.prove(h.loggedIn(), "recovery", "aaaaaaaaaaaaaaaaaaaaaaaa", "")
	want(t, "a recovery code afterwards", err, mfa.NotConfigured)
	if got := h.messages()[0]; got.Template != mfa.MessageFactorRemoved || got.Recipient != ownMail {
		t.Errorf("message = %+v, want one about the removal", got)
	}
	if got := h.events(); !slices.Contains(got, mfa.EventFactorDeleted) {
		t.Errorf("events = %v, want the removal among them", got)
	}
}

func TestForeignIdsAreLikeUnknownOnes(t *testing.T) {
	h := newHouse(t)
	ada := h.session(h.ada().ID, "password", "totp")
	eve := h.session(h.create(mfa.Draft{Email: otherMail, Password: ownPass, TOTPSecret: secret32}).ID, "password", "totp")
	ids := []storage.AuthenticatorID{"", "00000000-0000-0000-0000-000000000000"}
	for _, a := range ada.Account.Authenticators {
		ids = append(ids, a.ID)
	}
	for _, a := range eve.Account.Authenticators {
		if a.Method == "password" {
			ids = append(ids, a.ID) // one's own, but nothing that can be taken away
		}
	}
	for _, id := range ids {
		want(t, "remove "+string(id), h.verifier.Remove(context.Background(), h.visit, eve, id, true), mfa.NotConfigured)
		want(t, "rename "+string(id), h.verifier.Rename(context.Background(), h.visit, eve, id, "mine"), mfa.NotConfigured)
	}
	for _, id := range []storage.SessionID{"", "00000000-0000-0000-0000-000000000000", ada.Session} {
		want(t, "end session", h.sessions.EndOne(context.Background(), h.visit, eve, id), mfa.NotSignedIn)
	}
	if h.again(ada) == nil {
		t.Fatal("somebody else ended the session")
	}
	want(t, "end one's own", h.sessions.EndOne(context.Background(), h.visit, eve, eve.Session), "")
}

func TestNewRecoveryCodesKillTheOld(t *testing.T) {
	h := newHouse(t)
	o := h.session(h.ada().ID, "password", "totp")
	codes, err := h.verifier.NewRecoveryCodes(context.Background(), h.visit, o)
	want(t, "new codes", err, "")
	_, err = h.prove(h.loggedIn(), "recovery", "bbbb-bbbb-bbbb", "")
	want(t, "an old one", err, mfa.InvalidPasscode)
	_, err = h.prove(h.loggedIn(), "recovery", codes[7], "")
	want(t, "a new one", err, "")
	messages := h.messages()
	if !slices.ContainsFunc(messages, func(m storage.Message) bool { return m.Template == mfa.MessageRecoveryRenewed }) {
		t.Errorf("messages = %+v, want one about the new codes", messages)
	}
	_, err = h.verifier.NewRecoveryCodes(context.Background(), h.visit, h.session(h.create(mfa.Draft{Email: otherMail, Password: ownPass}).ID, "password"))
	want(t, "without a second factor", err, mfa.NotConfigured)
}
