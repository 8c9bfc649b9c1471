package mfa_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// A login that was proven and then left waiting, for consent say, is a sign-in that
// somebody keeps for later.
func TestAParkedLoginDoesNotSurviveItsOwner(t *testing.T) {
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
		act  func(h *house, o mfa.Owner) error
		need mfa.Need // of the parked login; "over": it was cancelled
	}{
		{"when other sessions end", func(h *house, o mfa.Owner) error { return h.sessions.EndOthers(ctx, h.visit, o) }, "over"},
		{"when the password changes and other sessions end", func(h *house, o mfa.Owner) error {
			return h.verifier.ChangePassword(ctx, h.visit, o, mfa.PasswordChange{Old: ownPass, New: "seven grey geese on ice", EndOthers: true})
		}, "over"},
		{"when the password changes", func(h *house, o mfa.Owner) error {
			return h.verifier.ChangePassword(ctx, h.visit, o, mfa.PasswordChange{Old: ownPass, New: "seven grey geese on ice"})
		}, mfa.NeedFirst},
		{"when the factor goes and other sessions end", func(h *house, o mfa.Owner) error {
			return h.verifier.Remove(ctx, h.visit, o, first(o, "totp"), true)
		}, "over"},
		{"when the factor goes", func(h *house, o mfa.Owner) error {
			return h.verifier.Remove(ctx, h.visit, o, first(o, "totp"), false)
		}, mfa.NeedEnroll},
		{"when nothing happens", func(*house, mfa.Owner) error { return nil }, mfa.NeedNothing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			h.policy.MFA = mfa.MFAAlways
			u := h.ada()
			id := h.loggedIn()
			_, err := h.prove(id, "totp", h.code(0), "")
			want(t, "prove the factor", err, "")
			h.wait(time.Minute)
			want(t, "the owner acts", tc.act(h, h.owner(u)), "")
			if p := h.proving(id, ""); tc.need == "over" {
				if p.Request.State != storage.RequestCancelled {
					t.Errorf("the request is %s, want %s", p.Request.State, storage.RequestCancelled)
				}
				return
			}
			if v := h.verdict(id); v.Need != tc.need {
				t.Errorf("the request needs %q, want %q", v.Need, tc.need)
			}
		})
	}
}

func TestAVerifiedCodeOfARemovedFactorIsNotRedeemed(t *testing.T) {
	h := newHouse(t)
	h.policy.MFA = mfa.MFAAlways
	u := h.ada()
	o := h.owner(u)
	second, err := h.enrolFor(o, totpOnly)
	want(t, "a second device", err, "")
	_, err = h.confirmFor(o, second)
	want(t, "confirm it", err, "")
	id := h.loggedIn()
	s, err := h.initiate(id, "", mfa.Choice{Method: "totp"}) // of either device
	want(t, "initiate", err, "")
	_, err = h.verify(s.Exchange, h.code(0))
	want(t, "verify", err, "")
	h.wait(time.Minute)
	o = h.owner(u)
	want(t, "remove", h.verifier.Remove(context.Background(), h.visit, o, second.Authenticator, false), "")
	want(t, "redeem", h.redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
}

func TestTheOwnersSessionKnowsTheNewPassword(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	o := h.owner(u)
	h.wait(time.Minute)
	change := mfa.PasswordChange{Old: ownPass, New: "seven grey geese on ice"}
	elsewhere := h.session(u.ID, "password", "totp")
	h.wait(time.Minute)
	want(t, "change", h.verifier.ChangePassword(context.Background(), h.visit, o, change), "")
	again, other := h.again(o), h.again(elsewhere)
	if again == nil || other == nil {
		t.Fatal("a session ended that nobody ended")
	}
	want(t, "the session that changed it", h.verifier.Fresh(*again), "")
	want(t, "another one, signed in with the old one", h.verifier.Fresh(*other), mfa.ReauthenticationRequired)
	verdict := func(o mfa.Owner) mfa.Need {
		return mfa.Require(mfa.Policy{}, &o.Account, o.Factors, mfa.Asked{}, h.verifier.Methods(), h.now()).Need
	}
	if verdict(*again) != mfa.NeedNothing || verdict(*other) != mfa.NeedFirst {
		t.Errorf("needs: %q here and %q elsewhere, want none here and the password elsewhere", verdict(*again), verdict(*other))
	}
}

func TestAPasswordHashedAnewIsStillTheSame(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	o := h.session(u.ID, "password")
	h.wait(time.Minute)
	h.password = mfa.NewPassword(h.keyring, rand.Reader, mfa.PasswordOptions{Memory: 128, Time: 1})
	h.open(mfa.Options{AddressMax: -1})
	want(t, "a login that hashes it anew", h.login(h.begin(), ownMail, ownPass), "")
	again := h.again(o)
	if v := mfa.Require(mfa.Policy{}, &again.Account, again.Factors, mfa.Asked{}, h.verifier.Methods(), h.now()); v.ACR != mfa.AAL1 {
		t.Errorf("acr = %q after the hash was made anew, want the proof of before to count", v.ACR)
	}
}
