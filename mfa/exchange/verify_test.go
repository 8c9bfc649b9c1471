package exchange_test

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func TestInitiateVerifyRedeem(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	id := h.SignedIn()
	s, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
	mfatest.Want(t, "initiate", err, "")
	mfatest.Want(t, "redeem before verification", h.Redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
	_, err = h.Verify(s.Exchange, h.Wrong())
	mfatest.Want(t, "wrong code", err, mfa.InvalidPasscode)
	v, err := h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "right code", err, "")
	if v.Exchange == s.Exchange || v.Status != s.Status || v.Sub != s.Sub || v.User != u.ID || v.Sub == string(u.ID) {
		t.Errorf("verified %+v after %+v: want a new exchange, the same status and masked sub", v, s)
	}
	_, err = h.Verify(s.Exchange, h.Code(30*time.Second))
	mfatest.Want(t, "old exchange", err, mfa.InvalidExchange)
	_, err = h.Verify(v.Exchange, h.Code(30*time.Second))
	mfatest.Want(t, "new exchange", err, mfa.InvalidExchange)
	mfatest.Want(t, "another login's", h.Redeem(h.SignedIn(), s.Status, mfa.UsageSecond), mfa.InvalidExchange)
	mfatest.Want(t, "another usage", h.Redeem(id, s.Status, mfa.UsagePasswordless), mfa.InvalidExchange)
	mfatest.Want(t, "redeem", h.Redeem(id, s.Status, mfa.UsageSecond), "")
	mfatest.Want(t, "redeem again", h.Redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
	if got := h.Verdict(id); got.Need != mfa.NeedNothing || got.ACR != mfa.AAL2 {
		t.Errorf("verdict = %+v, want aal2 and nothing needed", got)
	}
}

func TestRedeemFindsTheVerifiedStatus(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	mfatest.Want(t, "nothing verified", h.Redeem(id, "", mfa.UsageSecond), mfa.InvalidExchange)
	s, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
	mfatest.Want(t, "initiate", err, "")
	_, err = h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "verify", err, "")
	h.Advance(time.Minute)
	mfatest.Want(t, "redeem", h.Redeem(id, "", mfa.UsageSecond), "")
	if fs := h.Read(id, "").Request.Factors; !fs[1].At.Equal(h.Now().Add(-time.Minute)) {
		t.Errorf("the factor is from %s, want the time of the proof", fs[1].At)
	}
}

func TestExchangesEnd(t *testing.T) {
	for _, tc := range []struct {
		name string
		kill func(h *mfatest.Fixture, id storage.RequestID, s exchange.Initiation)
	}{
		{"by time", func(h *mfatest.Fixture, _ storage.RequestID, _ exchange.Initiation) { h.Advance(5 * time.Minute) }},
		{"by a newer one", func(h *mfatest.Fixture, id storage.RequestID, _ exchange.Initiation) {
			_, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
			mfatest.Want(h.T, "newer", err, "")
		}},
		{"by being cancelled", func(h *mfatest.Fixture, _ storage.RequestID, s exchange.Initiation) {
			mfatest.Want(h.T, "cancel", h.Store.CancelStatus(context.Background(), s.Exchange, h.Now(), nil), "")
		}},
		{"in another browser", func(h *mfatest.Fixture, _ storage.RequestID, _ exchange.Initiation) { h.Caller.Browser = "browser-b" }},
		{"with the user", func(h *mfatest.Fixture, id storage.RequestID, _ exchange.Initiation) {
			off := storage.UserDisabled
			err := h.Store.UpdateUser(context.Background(), storage.UserChange{ID: h.Read(id, "").Request.Subject, Status: &off, Kill: true, Now: h.Now()})
			mfatest.Want(h.T, "disable", err, "")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mfatest.New(t)
			h.CreateAda()
			id := h.SignedIn()
			s, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
			mfatest.Want(t, "initiate", err, "")
			tc.kill(h, id, s)
			_, err = h.Verify(s.Exchange, h.Code(0))
			mfatest.Want(t, "verify", err, mfa.InvalidExchange)
		})
	}
}

func TestVerifiedStatusesExpire(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	s, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
	mfatest.Want(t, "initiate", err, "")
	v, err := h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "verify", err, "")
	if !v.ExpiresAt.Equal(h.Now().Add(5 * time.Minute)) {
		t.Errorf("verified until %s, want five minutes", v.ExpiresAt)
	}
	h.Advance(5 * time.Minute)
	mfatest.Want(t, "redeem too late", h.Redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
}

func TestParametersMustMatchTheStatus(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	s, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
	mfatest.Want(t, "initiate", err, "")
	good := exchange.Answer{Exchange: s.Exchange, Method: "totp", Response: mfa.Typed(h.Code(0)), Request: id, Sub: s.Sub}
	for name, change := range map[string]func(*exchange.Answer){
		"another method":   func(a *exchange.Answer) { a.Method = "recovery" },
		"no method":        func(a *exchange.Answer) { a.Method = "" },
		"another request":  func(a *exchange.Answer) { a.Request = storage.RequestID(storage.Random128(rand.Reader)) },
		"another sub":      func(a *exchange.Answer) { a.Sub = storage.Random128(rand.Reader) },
		"unknown exchange": func(a *exchange.Answer) { a.Exchange = storage.ExchangeID(storage.Random128(rand.Reader)) },
		"a status's id":    func(a *exchange.Answer) { a.Exchange = storage.ExchangeID(s.Status) },
		"no exchange":      func(a *exchange.Answer) { a.Exchange = "" },
	} {
		a := good
		change(&a)
		_, err := h.Verifier.Verify(context.Background(), h.Caller, a)
		mfatest.Want(t, name, err, mfa.InvalidExchange)
	}
	_, err = h.Verifier.Verify(context.Background(), h.Caller, good)
	mfatest.Want(t, "all of it", err, "")
}

func TestInitiationsAreBounded(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	id := h.SignedIn()
	for range 20 {
		_, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
		mfatest.Want(t, "initiate", err, "")
	}
	_, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
	mfatest.Want(t, "one more", err, mfa.TooManyInitiations)
	_, err = h.Prove(id, "totp", h.Code(0), "")
	mfatest.Want(t, "and on the page", err, mfa.TooManyInitiations)
}

func TestDisallowedUsagesAreNotConfigured(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	h.Create(users.Draft{Email: mfatest.OtherEmail, Password: "another harbour at dusk"})
	_, err := h.Initiate(h.OpenRequest(), mfatest.Email, exchange.Choice{Method: "totp"})
	mfatest.Want(t, "second factor without an identified user", err, mfa.NotConfigured)
	_, err = h.Initiate(h.OpenRequest(), mfatest.Email, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "passwordless at a client that does not allow it", err, mfa.NotConfigured)
	_, err = h.Initiate(h.SignedIn(), "", exchange.Choice{Method: "password"})
	mfatest.Want(t, "the password as second factor", err, mfa.NotConfigured)
	_, err = h.Initiate(h.SignedIn(), "", exchange.Choice{Method: "carrier pigeon"})
	mfatest.Want(t, "no such method", err, mfa.NotConfigured)
	_, err = h.Initiate(h.SignedIn(), mfatest.OtherEmail, exchange.Choice{Method: "totp"})
	mfatest.Want(t, "another user's identifier", err, mfa.NotConfigured)
	_, err = h.Initiate(h.SignedIn(), "", exchange.Choice{Method: "totp", Usage: "SECOND"})
	mfatest.Want(t, "no such usage", err, mfa.InvalidRequest)
	id := h.OpenRequest()
	mfatest.Want(t, "bob", h.SignIn(id, mfatest.OtherEmail, "another harbour at dusk"), "")
	_, err = h.Initiate(id, "", exchange.Choice{Method: "totp"})
	mfatest.Want(t, "who enrolled none", err, mfa.NotConfigured)
	ada, err := h.Users.Named(context.Background(), mfatest.Email)
	mfatest.Want(t, "read", err, "")
	for _, a := range ada.Authenticators {
		_, err = h.Initiate(h.SignedIn(), "", exchange.Choice{Method: "totp", Authenticator: a.ID})
		if a.Method == "totp" {
			mfatest.Want(t, "its own", err, "")
			continue
		}
		mfatest.Want(t, "the id of an authenticator of another method", err, mfa.NotConfigured)
	}
	h.Policy = mfa.Policy{MFA: mfa.MFAAlways, Passwordless: true}
	_, err = h.Initiate(h.OpenRequest(), mfatest.Email, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "passwordless where the client demands two factors", err, mfa.NotConfigured)
	h.Policy = mfa.Policy{Methods: []string{"recovery"}}
	_, err = h.Initiate(h.SignedIn(), "", exchange.Choice{Method: "totp"})
	mfatest.Want(t, "a method the client does not allow", err, mfa.NotConfigured)
}

func TestPasswordlessIsOneFactor(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	u := h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	for _, usage := range []string{mfa.UsagePasswordless, mfa.UsageInitial} {
		id := h.OpenRequest()
		s, err := h.Initiate(id, mfatest.Email, exchange.Choice{Method: "totp", Usage: usage})
		mfatest.Want(t, "initiate", err, "")
		_, err = h.Verify(s.Exchange, h.Code(0))
		mfatest.Want(t, "verify", err, "")
		mfatest.Want(t, "as second factor", h.Redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
		mfatest.Want(t, "redeem", h.Redeem(id, s.Status, usage), "")
		v := h.Verdict(id)
		if v.Need != mfa.NeedNothing || v.ACR != mfa.AAL1 || !slices.Equal(v.AMR, []string{"otp"}) || h.Read(id, "").Request.Subject != u.ID {
			t.Errorf("verdict = %+v, want done at aal1 with otp alone", v)
		}
		h.Advance(30 * time.Second)
	}
}

func TestAUserWithTwoFactorsEnabledIsNotSignedInByOne(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	u := h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	id := h.OpenRequest()
	s, err := h.Initiate(id, mfatest.Email, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "initiate", err, "")
	_, err = h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "verify", err, "")
	on := true
	mfatest.Want(t, "the setting", h.Store.UpdateUser(context.Background(), storage.UserChange{ID: u.ID, MFAEnabled: &on, Now: h.Now()}), "")
	mfatest.Want(t, "redeem", h.Redeem(id, s.Status, mfa.UsagePasswordless), "")
	if v := h.Verdict(id); v.Need != mfa.NeedFirst || v.ACR != mfa.AAL1 {
		t.Errorf("need %q at %q, want the password", v.Need, v.ACR)
	}
}

func TestLockingPasswordlessDoesNotLockTheSecondFactor(t *testing.T) {
	h := mfatest.New(t)
	h.Policy.Passwordless = true
	h.Create(users.Draft{Email: mfatest.Email, Password: mfatest.Password, TOTPSecret: mfatest.TOTPKey})
	for range 100 {
		s, err := h.Initiate(h.OpenRequest(), mfatest.Email, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
		mfatest.Want(t, "initiate", err, "")
		_, err = h.Verify(s.Exchange, h.Wrong())
		mfatest.Want(t, "wrong", err, mfa.InvalidPasscode)
		h.Advance(time.Hour)
	}
	s, err := h.Initiate(h.OpenRequest(), mfatest.Email, exchange.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	mfatest.Want(t, "initiate", err, "")
	_, err = h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "passwordless", err, mfa.Locked)
	_, err = h.Prove(h.SignedIn(), "totp", h.Code(0), "")
	mfatest.Want(t, "after the password", err, "")
}
