package selfservice_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/password"
	"sallyport/mfa/selfservice"
	"sallyport/storage"
)

// An attacker could keep a proven login open, at the consent page say, and finish it later.
func TestAnUnfinishedLoginEndsWithItsFactors(t *testing.T) {
	ctx := context.Background()
	first := func(o mfa.Owner, method string) storage.AuthenticatorID {
		for _, a := range o.Account.Authenticators {
			if a.Method == method {
				return a.ID
			}
		}
		return ""
	}
	for _, tc := range []struct {
		name string
		act  func(h *mfatest.Fixture, o mfa.Owner) error
		need mfa.Need // of the unfinished login; "over": it was cancelled
	}{
		{"when other sessions end", func(h *mfatest.Fixture, o mfa.Owner) error { return h.Sessions.EndOthers(ctx, h.Caller, o) }, "over"},
		{"when the password changes and other sessions end", func(h *mfatest.Fixture, o mfa.Owner) error {
			return h.Accounts.ChangePassword(ctx, h.Caller, o, selfservice.PasswordChange{Old: mfatest.Password, New: "seven grey geese on ice", EndOthers: true})
		}, "over"},
		{"when the password changes", func(h *mfatest.Fixture, o mfa.Owner) error {
			return h.Accounts.ChangePassword(ctx, h.Caller, o, selfservice.PasswordChange{Old: mfatest.Password, New: "seven grey geese on ice"})
		}, mfa.NeedFirst},
		{"when the factor is removed and other sessions end", func(h *mfatest.Fixture, o mfa.Owner) error {
			return h.Accounts.Remove(ctx, h.Caller, o, first(o, "totp"), true)
		}, "over"},
		{"when the factor is removed", func(h *mfatest.Fixture, o mfa.Owner) error {
			return h.Accounts.Remove(ctx, h.Caller, o, first(o, "totp"), false)
		}, mfa.NeedEnroll},
		{"when nothing happens", func(*mfatest.Fixture, mfa.Owner) error { return nil }, mfa.NeedNothing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mfatest.New(t)
			h.Policy.MFA = mfa.MFAAlways
			u := h.CreateAda()
			id := h.SignedIn()
			_, err := h.Prove(id, "totp", h.Code(0), "")
			mfatest.Want(t, "prove the factor", err, "")
			h.Advance(time.Minute)
			mfatest.Want(t, "the owner acts", tc.act(h, h.Owner(u)), "")
			if p := h.Read(id, ""); tc.need == "over" {
				if p.Request.State != storage.RequestCancelled {
					t.Errorf("the request is %s, want %s", p.Request.State, storage.RequestCancelled)
				}
				return
			}
			if v := h.Verdict(id); v.Need != tc.need {
				t.Errorf("the request needs %q, want %q", v.Need, tc.need)
			}
		})
	}
}

func TestAVerifiedCodeOfARemovedFactorIsNotRedeemed(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.MFA = mfa.MFAAlways
	u := h.CreateAda()
	o := h.Owner(u)
	second, err := h.EnrollAs(o, totpOnly)
	mfatest.Want(t, "a second device", err, "")
	_, err = h.ConfirmAs(o, second)
	mfatest.Want(t, "confirm it", err, "")
	id := h.SignedIn()
	s, err := h.Initiate(id, "", exchange.Choice{Method: "totp"}) // of either device
	mfatest.Want(t, "initiate", err, "")
	_, err = h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "verify", err, "")
	h.Advance(time.Minute)
	o = h.Owner(u)
	mfatest.Want(t, "remove", h.Accounts.Remove(context.Background(), h.Caller, o, second.Authenticator, false), "")
	mfatest.Want(t, "redeem", h.Redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
}

func TestTheOwnersSessionSurvivesAPasswordChange(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	o := h.Owner(u)
	h.Advance(time.Minute)
	change := selfservice.PasswordChange{Old: mfatest.Password, New: "seven grey geese on ice"}
	elsewhere := h.Session(u.ID, "password", "totp")
	h.Advance(time.Minute)
	mfatest.Want(t, "change", h.Accounts.ChangePassword(context.Background(), h.Caller, o, change), "")
	again, other := h.Reload(o), h.Reload(elsewhere)
	if again == nil || other == nil {
		t.Fatal("a session ended without a cause")
	}
	mfatest.Want(t, "the session that changed it", h.Verifier.CheckFresh(*again), "")
	mfatest.Want(t, "another one, signed in with the old one", h.Verifier.CheckFresh(*other), mfa.ReauthenticationRequired)
	verdict := func(o mfa.Owner) mfa.Need {
		return mfa.Require(mfa.Policy{}, &o.Account, o.Factors, mfa.Requirements{}, h.Verifier.Methods(), h.Now()).Need
	}
	if verdict(*again) != mfa.NeedNothing || verdict(*other) != mfa.NeedFirst {
		t.Errorf("needs: %q here and %q elsewhere, want none here and the password elsewhere", verdict(*again), verdict(*other))
	}
}

func TestARehashedPasswordKeepsItsProofs(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	o := h.Session(u.ID, "password")
	h.Advance(time.Minute)
	h.Password = password.New(h.Keyring, h.Now, rand.Reader, password.Options{Memory: 128, Time: 1})
	h.Open(exchange.Options{AddressMax: -1})
	mfatest.Want(t, "a login that replaces the hash", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
	again := h.Reload(o)
	if v := mfa.Require(mfa.Policy{}, &again.Account, again.Factors, mfa.Requirements{}, h.Verifier.Methods(), h.Now()); v.ACR != mfa.AAL1 {
		t.Errorf("acr = %q after the hash was replaced, want the old proof to count", v.ACR)
	}
}
