package selfservice_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

var totpOnly = exchange.NewFactor{Method: "totp", Name: "Phone"}

func TestAChangeOfFactorsNeedsAFreshProof(t *testing.T) {
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
			h := mfatest.New(t)
			var u storage.User
			if tc.held {
				u = h.CreateAda()
			} else {
				u = h.CreatePasswordUser()
			}
			o := h.Session(u.ID, tc.with...)
			h.Advance(tc.age)
			mfatest.Want(t, "fresh", h.Verifier.CheckFresh(o), tc.code)
			_, err := h.EnrollAs(o, totpOnly)
			mfatest.Want(t, "enrol", err, tc.code)
			if !tc.held {
				return
			}
			_, err = h.Accounts.NewRecoveryCodes(context.Background(), h.Caller, o)
			mfatest.Want(t, "new codes", err, tc.code)
			held := h.Accounts.Held(o.Account)
			at := slices.IndexFunc(held, func(x selfservice.Held) bool { return x.Info.Enrolls })
			if code := mfa.CodeOf(h.Accounts.Remove(context.Background(), h.Caller, o, held[at].ID, false)); code != tc.code {
				t.Errorf("remove: %q, want %q", code, tc.code)
			}
		})
	}
}

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
	mfatest.Want(t, "a shape nobody has", err, mfa.InvalidRequest)
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

func TestRemovingAFactor(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	o, elsewhere := h.Session(u.ID, "password", "totp"), h.Session(u.ID, "password", "totp")
	held := h.Accounts.Held(o.Account)
	device := held[slices.IndexFunc(held, func(x selfservice.Held) bool { return x.Info.Enrolls })].ID
	second, err := h.EnrollAs(o, totpOnly)
	mfatest.Want(t, "add a second", err, "")
	_, err = h.ConfirmAs(o, second)
	mfatest.Want(t, "confirm it", err, "")

	o = *h.Reload(o)
	mfatest.Want(t, "remove, keeping sessions", h.Accounts.Remove(context.Background(), h.Caller, o, device, false), "")
	if h.Reload(elsewhere) == nil {
		t.Error("the other session ended unasked")
	}
	mfatest.Want(t, "the removed device proved nothing", h.Verifier.CheckFresh(*h.Reload(elsewhere)), mfa.ReauthenticationRequired)
	mfatest.Want(t, "the one added here was proven", h.Verifier.CheckFresh(*h.Reload(o)), "")
	h.Advance(30 * time.Second)
	_, err = h.Verifier.Prove(context.Background(), h.Caller, h.Read(h.SignedIn(), ""), exchange.Choice{Method: "totp", Authenticator: device}, "", mfa.Typed(h.Code(0)))
	mfatest.Want(t, "the removed device", err, mfa.NotConfigured)
	_, err = h.Prove(h.SignedIn(), "totp", h.Code(0), "")
	mfatest.Want(t, "its code", err, mfa.InvalidPasscode)
	account, _ := h.Store.Account(context.Background(), u.ID)
	if !account.User.MFAEnabled {
		t.Error("the wish for a second factor went with one of two")
	}

	o = h.Session(u.ID, "password", "totp")
	mfatest.Want(t, "remove the last, ending sessions", h.Accounts.Remove(context.Background(), h.Caller, o, second.Authenticator, true), "")
	if h.Reload(elsewhere) != nil || h.Reload(o) == nil {
		t.Error("want every other session ended, and this one alive")
	}
	account, _ = h.Store.Account(context.Background(), u.ID)
	if account.User.MFAEnabled || len(account.Authenticators) != 1 {
		t.Errorf("wish %v, %d authenticators, want the password alone", account.User.MFAEnabled, len(account.Authenticators))
	}
	_, err = h.Prove(h.SignedIn(), "recovery", "aaaaaaaaaaaaaaaaaaaaaaaa", "")
	mfatest.Want(t, "a recovery code afterwards", err, mfa.NotConfigured)
	if got := h.Messages()[0]; got.Template != notice.FactorRemoved || got.Recipient != mfatest.Email {
		t.Errorf("message = %+v, want one about the removal", got)
	}
	if got := h.Events(); !slices.Contains(got, mfa.EventFactorDeleted) {
		t.Errorf("events = %v, want the removal among them", got)
	}
}

func TestAuthenticatorsOfOtherUsersAreUnknown(t *testing.T) {
	h := mfatest.New(t)
	ada := h.Session(h.CreateAda().ID, "password", "totp")
	eve := h.Session(h.Create(users.Draft{Email: mfatest.OtherEmail, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey}).ID, "password", "totp")
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
		mfatest.Want(t, "remove "+string(id), h.Accounts.Remove(context.Background(), h.Caller, eve, id, true), mfa.NotConfigured)
		mfatest.Want(t, "rename "+string(id), h.Accounts.Rename(context.Background(), h.Caller, eve, id, "mine"), mfa.NotConfigured)
	}
	for _, id := range []storage.SessionID{"", "00000000-0000-0000-0000-000000000000", ada.Session} {
		mfatest.Want(t, "end session", h.Sessions.EndOne(context.Background(), h.Caller, eve, id), mfa.NotSignedIn)
	}
	if h.Reload(ada) == nil {
		t.Fatal("another user ended the session")
	}
	mfatest.Want(t, "end one's own", h.Sessions.EndOne(context.Background(), h.Caller, eve, eve.Session), "")
}

func TestNewRecoveryCodesInvalidateTheOld(t *testing.T) {
	h := mfatest.New(t)
	o := h.Session(h.CreateAda().ID, "password", "totp")
	codes, err := h.Accounts.NewRecoveryCodes(context.Background(), h.Caller, o)
	mfatest.Want(t, "new codes", err, "")
	_, err = h.Prove(h.SignedIn(), "recovery", "bbbb-bbbb-bbbb", "")
	mfatest.Want(t, "an old one", err, mfa.InvalidPasscode)
	_, err = h.Prove(h.SignedIn(), "recovery", codes[7], "")
	mfatest.Want(t, "a new one", err, "")
	messages := h.Messages()
	if !slices.ContainsFunc(messages, func(m storage.Message) bool { return m.Template == notice.RecoveryRenewed }) {
		t.Errorf("messages = %+v, want one about the new codes", messages)
	}
	_, err = h.Accounts.NewRecoveryCodes(context.Background(), h.Caller, h.Session(h.Create(users.Draft{Email: mfatest.OtherEmail, Password: mfatest.Password}).ID, "password"))
	mfatest.Want(t, "without a second factor", err, mfa.NotConfigured)
}
