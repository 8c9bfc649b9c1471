package mfa_test

import (
	"context"
	"crypto/rand"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
)

// The first proof makes a pending user active, whichever it is.
func TestTheFirstProofActivatesAPendingUser(t *testing.T) {
	ctx := context.Background()
	c := mfa.Choice{Method: "fake-passkey", Usage: mfa.UsageFirst}
	for name, tc := range map[string]struct {
		prove func(*house, storage.RequestID, *mfatest.Device) error
		want  mfa.Code
		then  storage.UserStatus
	}{
		"a password": {func(h *house, id storage.RequestID, _ *mfatest.Device) error { return h.login(id, ownMail, ownPass) }, "", storage.UserActive},
		"a wrong password": {func(h *house, id storage.RequestID, _ *mfatest.Device) error {
			return h.login(id, ownMail, "wrong pass")
		},
			mfa.InvalidCredentials, storage.UserPending},
		"a method that finds its user": {func(h *house, id storage.RequestID, d *mfatest.Device) error {
			s, err := h.initiate(id, "", c)
			want(h.t, "initiate", err, "")
			r, err := d.Answer(s.Challenge)
			want(h.t, "sign", err, "")
			_, err = h.verifier.Prove(ctx, h.visit, h.proving(id, ""), c, s.Exchange, r)
			return err
		}, "", storage.UserActive},
		"an answer on another surface": {func(h *house, id storage.RequestID, d *mfatest.Device) error {
			s, err := h.initiate(id, "", c)
			want(h.t, "initiate", err, "")
			r, err := d.Answer(s.Challenge)
			want(h.t, "sign", err, "")
			v, err := h.verifier.Verify(ctx, h.visit, mfa.Answer{Exchange: s.Exchange, Method: "fake-passkey", Response: r})
			want(h.t, "verify", err, "")
			return h.verifier.Redeem(ctx, h.visit, h.proving(id, ""), v.Status, "fake-passkey", mfa.UsageFirst)
		}, "", storage.UserActive},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			u := h.create(mfa.Draft{Email: ownMail, Password: ownPass, Status: storage.UserPending})
			h.open(mfa.Options{AddressMax: -1}, &mfatest.Passkey{Accounts: h.store, Random: rand.Reader})
			d, a, err := mfatest.NewDevice(rand.Reader, u.ID, h.now())
			want(t, "passkey", err, "")
			want(t, "store passkey", h.store.PutAuthenticator(ctx, a, nil, nil), "")
			id := h.begin()
			want(t, "proof", tc.prove(h, id, d), tc.want)
			got, err := h.store.Account(ctx, u.ID)
			if err != nil || got.User.Status != tc.then {
				t.Errorf("status = %q (%v), want %q", got.User.Status, err, tc.then)
			}
			if need := h.verdict(id).Need; (need == mfa.NeedFirst) != (tc.want != "") {
				t.Errorf("need = %v", need)
			}
		})
	}
}

// What was given to somebody who is pending again counts for nothing: they have to prove
// who they are first.
func TestAPendingUserHasNothing(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	u := h.ada()
	o := h.owner(u)
	id := h.loggedIn()
	e, err := h.enrolFor(o, mfa.NewFactor{Method: "totp", Name: "another"})
	want(t, "enrol", err, "")
	has := func(want bool) {
		t.Helper()
		behind, err := h.sessions.Behind(ctx, storage.Authorization{UserID: u.ID, SessionID: o.Session})
		_, none := h.verifier.Account(ctx, u.ID)
		account, found := h.store.Account(ctx, u.ID)
		o.Account = account
		for name, got := range map[string]bool{"session": h.again(o) != nil, "behind a token": behind != nil, "account": none == nil,
			"fresh": h.verifier.Fresh(o) == nil, "login": h.verdict(id).Need != mfa.NeedFirst} {
			if got != want || err != nil || found != nil {
				t.Errorf("%s, %s: %v, want %v (%v, %v)", account.User.Status, name, got, want, err, found)
			}
		}
	}
	has(true)
	h.becomes(u.ID, storage.UserPending)
	has(false)
	_, err = h.confirmFor(o, e)
	want(t, "confirm", err, mfa.EnrollmentExpired)
	want(t, "a proof", h.login(h.begin(), ownMail, ownPass), "")
	has(true)
}

func TestWhoIsMadePendingLosesWhatTheyHad(t *testing.T) {
	ctx := context.Background()
	h := newHouse(t)
	o := h.owner(h.ada())
	a, err := h.users.Amendment(ctx, o.Account, mfa.Draft{Status: storage.UserPending}, mfa.Amending{})
	want(t, "compare", err, "")
	want(t, "amend", h.users.Amend(ctx, h.visit, a), "")
	want(t, "a proof", h.login(h.begin(), ownMail, ownPass), "")
	if h.again(o) != nil {
		t.Error("the session of before came back")
	}
}
