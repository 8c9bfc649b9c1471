package selfservice_test

import (
	"context"
	"slices"
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
		t.Error("the other session ended")
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
		t.Error("removing one of two factors turned the setting off")
	}

	o = h.Session(u.ID, "password", "totp")
	mfatest.Want(t, "remove the last, ending sessions", h.Accounts.Remove(context.Background(), h.Caller, o, second.Authenticator, true), "")
	if h.Reload(elsewhere) != nil || h.Reload(o) == nil {
		t.Error("want every other session ended, and this one alive")
	}
	account, _ = h.Store.Account(context.Background(), u.ID)
	if account.User.MFAEnabled || len(account.Authenticators) != 1 {
		t.Errorf("MFAEnabled %v, %d authenticators, want the password alone", account.User.MFAEnabled, len(account.Authenticators))
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
