package exchange_test

import (
	"context"
	"crypto/rand"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// Any first proof activates a pending user.
func TestTheFirstProofActivatesAPendingUser(t *testing.T) {
	ctx := context.Background()
	c := exchange.Choice{Method: "fake-passkey", Usage: mfa.UsageFirst}
	for name, tc := range map[string]struct {
		prove func(*mfatest.Fixture, storage.RequestID, *methodtest.Device) error
		want  mfa.Code
		then  storage.UserStatus
	}{
		"a password": {func(h *mfatest.Fixture, id storage.RequestID, _ *methodtest.Device) error {
			return h.SignIn(id, mfatest.Email, mfatest.Password)
		}, "", storage.UserActive},
		"a wrong password": {func(h *mfatest.Fixture, id storage.RequestID, _ *methodtest.Device) error {
			return h.SignIn(id, mfatest.Email, "wrong pass")
		},
			mfa.InvalidCredentials, storage.UserPending},
		"a method that finds its user": {func(h *mfatest.Fixture, id storage.RequestID, d *methodtest.Device) error {
			s, err := h.Initiate(id, "", c)
			mfatest.Want(h.T, "initiate", err, "")
			r, err := d.Answer(s.Challenge)
			mfatest.Want(h.T, "sign", err, "")
			_, err = h.Verifier.Prove(ctx, h.Caller, h.Read(id, ""), c, s.Exchange, r)
			return err
		}, "", storage.UserActive},
		"a response on another surface": {func(h *mfatest.Fixture, id storage.RequestID, d *methodtest.Device) error {
			s, err := h.Initiate(id, "", c)
			mfatest.Want(h.T, "initiate", err, "")
			r, err := d.Answer(s.Challenge)
			mfatest.Want(h.T, "sign", err, "")
			v, err := h.Verifier.Verify(ctx, h.Caller, exchange.Answer{Exchange: s.Exchange, Method: "fake-passkey", Response: r})
			mfatest.Want(h.T, "verify", err, "")
			return h.Verifier.Redeem(ctx, h.Caller, h.Read(id, ""), v.Status, "fake-passkey", mfa.UsageFirst)
		}, "", storage.UserActive},
	} {
		t.Run(name, func(t *testing.T) {
			h := mfatest.New(t)
			u := h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, Status: storage.UserPending})
			h.Open(exchange.Options{AddressMax: -1}, &methodtest.Passkey{Accounts: h.Store, Random: rand.Reader})
			d, a, err := methodtest.NewDevice(rand.Reader, u.ID, h.Now())
			mfatest.Want(t, "passkey", err, "")
			mfatest.Want(t, "store passkey", h.Store.PutAuthenticator(ctx, a, nil, nil), "")
			id := h.OpenRequest()
			mfatest.Want(t, "proof", tc.prove(h, id, d), tc.want)
			got, err := h.Store.Account(ctx, u.ID)
			if err != nil || got.User.Status != tc.then {
				t.Errorf("status = %q (%v), want %q", got.User.Status, err, tc.then)
			}
			if need := h.Verdict(id).Need; (need == mfa.NeedFirst) != (tc.want != "") {
				t.Errorf("need = %v", need)
			}
		})
	}
}

// A user who is set to pending has to authenticate before any session or grant is valid.
func TestAPendingUserHasNoAccess(t *testing.T) {
	ctx := context.Background()
	h := mfatest.New(t)
	u := h.CreateAda()
	o := h.Owner(u)
	id := h.SignedIn()
	e, err := h.EnrollAs(o, exchange.NewFactor{Method: "totp", Name: "another"})
	mfatest.Want(t, "enrol", err, "")
	has := func(want bool) {
		t.Helper()
		behind, err := h.Sessions.ForAuthorization(ctx, storage.Authorization{UserID: u.ID, SessionID: o.Session})
		_, none := h.Verifier.Account(ctx, u.ID)
		account, found := h.Store.Account(ctx, u.ID)
		o.Account = account
		for name, got := range map[string]bool{"session": h.Reload(o) != nil, "behind a token": behind != nil, "account": none == nil,
			"fresh": h.Verifier.CheckFresh(o) == nil, "login": h.Verdict(id).Need != mfa.NeedFirst} {
			if got != want || err != nil || found != nil {
				t.Errorf("%s, %s: %v, want %v (%v, %v)", account.User.Status, name, got, want, err, found)
			}
		}
	}
	has(true)
	h.SetStatus(u.ID, storage.UserPending)
	has(false)
	_, err = h.ConfirmAs(o, e)
	mfatest.Want(t, "confirm", err, mfa.EnrollmentExpired)
	mfatest.Want(t, "a proof", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
	has(true)
}

func TestAUserSetToPendingLosesAllAccess(t *testing.T) {
	ctx := context.Background()
	h := mfatest.New(t)
	o := h.Owner(h.CreateAda())
	a, err := h.Users.Amendment(ctx, o.Account, users.Draft{Status: storage.UserPending}, users.AmendOptions{})
	mfatest.Want(t, "compare", err, "")
	mfatest.Want(t, "amend", h.Users.Amend(ctx, h.Caller, a), "")
	mfatest.Want(t, "a proof", h.SignIn(h.OpenRequest(), mfatest.Email, mfatest.Password), "")
	if h.Reload(o) != nil {
		t.Error("the session of before came back")
	}
}
