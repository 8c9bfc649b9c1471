package mfa_test

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestInitiateVerifyRedeem(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	id := h.loggedIn()
	s, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
	want(t, "initiate", err, "")
	want(t, "redeem before verification", h.redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
	_, err = h.verify(s.Exchange, h.wrong())
	want(t, "wrong code", err, mfa.InvalidPasscode)
	v, err := h.verify(s.Exchange, h.code(0))
	want(t, "right code", err, "")
	if v.Exchange == s.Exchange || v.Status != s.Status || v.Sub != s.Sub || v.User != u.ID || v.Sub == string(u.ID) {
		t.Errorf("verified %+v after %+v: want a new exchange, the same status and masked sub", v, s)
	}
	_, err = h.verify(s.Exchange, h.code(30*time.Second))
	want(t, "old exchange", err, mfa.InvalidExchange)
	_, err = h.verify(v.Exchange, h.code(30*time.Second))
	want(t, "new exchange", err, mfa.InvalidExchange)
	want(t, "another login's", h.redeem(h.loggedIn(), s.Status, mfa.UsageSecond), mfa.InvalidExchange)
	want(t, "another usage", h.redeem(id, s.Status, mfa.UsagePasswordless), mfa.InvalidExchange)
	want(t, "redeem", h.redeem(id, s.Status, mfa.UsageSecond), "")
	want(t, "redeem again", h.redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
	if got := h.verdict(id); got.Need != mfa.NeedNothing || got.ACR != mfa.AAL2 {
		t.Errorf("verdict = %+v, want aal2 and nothing needed", got)
	}
}

func TestRedeemFindsTheVerifiedStatusByItself(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.loggedIn()
	want(t, "nothing verified", h.redeem(id, "", mfa.UsageSecond), mfa.InvalidExchange)
	s, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
	want(t, "initiate", err, "")
	_, err = h.verify(s.Exchange, h.code(0))
	want(t, "verify", err, "")
	h.wait(time.Minute)
	want(t, "redeem", h.redeem(id, "", mfa.UsageSecond), "")
	if fs := h.proving(id, "").Request.Factors; !fs[1].At.Equal(h.now().Add(-time.Minute)) {
		t.Errorf("the factor is from %s, want the time of the proof", fs[1].At)
	}
}

func TestExchangesDie(t *testing.T) {
	for _, tc := range []struct {
		name string
		kill func(h *house, id storage.RequestID, s mfa.Started)
	}{
		{"by time", func(h *house, _ storage.RequestID, _ mfa.Started) { h.wait(5 * time.Minute) }},
		{"by a newer one", func(h *house, id storage.RequestID, _ mfa.Started) {
			_, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
			want(h.t, "newer", err, "")
		}},
		{"by being cancelled", func(h *house, _ storage.RequestID, s mfa.Started) {
			want(h.t, "cancel", h.store.CancelStatus(context.Background(), s.Exchange, h.now(), nil), "")
		}},
		{"in another browser", func(h *house, _ storage.RequestID, _ mfa.Started) { h.visit.Browser = "browser-b" }},
		{"with the user", func(h *house, id storage.RequestID, _ mfa.Started) {
			off := storage.UserDisabled
			err := h.store.UpdateUser(context.Background(), storage.UserChange{ID: h.proving(id, "").Request.Subject, Status: &off, Kill: true, Now: h.now()})
			want(h.t, "disable", err, "")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			h.ada()
			id := h.loggedIn()
			s, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
			want(t, "initiate", err, "")
			tc.kill(h, id, s)
			_, err = h.verify(s.Exchange, h.code(0))
			want(t, "verify", err, mfa.InvalidExchange)
		})
	}
}

func TestVerifiedStatusesDie(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.loggedIn()
	s, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
	want(t, "initiate", err, "")
	v, err := h.verify(s.Exchange, h.code(0))
	want(t, "verify", err, "")
	if !v.ExpiresAt.Equal(h.now().Add(5 * time.Minute)) {
		t.Errorf("verified until %s, want five minutes", v.ExpiresAt)
	}
	h.wait(5 * time.Minute)
	want(t, "redeem too late", h.redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
}

func TestWhatIsSentAgainMustAgree(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.loggedIn()
	s, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
	want(t, "initiate", err, "")
	good := mfa.Answer{Exchange: s.Exchange, Method: "totp", Response: mfa.Typed(h.code(0)), Request: id, Sub: s.Sub}
	for name, change := range map[string]func(*mfa.Answer){
		"another method":   func(a *mfa.Answer) { a.Method = "recovery" },
		"no method":        func(a *mfa.Answer) { a.Method = "" },
		"another request":  func(a *mfa.Answer) { a.Request = storage.RequestID(storage.Random128(rand.Reader)) },
		"another sub":      func(a *mfa.Answer) { a.Sub = storage.Random128(rand.Reader) },
		"unknown exchange": func(a *mfa.Answer) { a.Exchange = storage.ExchangeID(storage.Random128(rand.Reader)) },
		"a status's id":    func(a *mfa.Answer) { a.Exchange = storage.ExchangeID(s.Status) },
		"no exchange":      func(a *mfa.Answer) { a.Exchange = "" },
	} {
		a := good
		change(&a)
		_, err := h.verifier.Verify(context.Background(), h.visit, a)
		want(t, name, err, mfa.InvalidExchange)
	}
	_, err = h.verifier.Verify(context.Background(), h.visit, good)
	want(t, "all of it", err, "")
}

func TestInitiationsAreBounded(t *testing.T) {
	h := newHouse(t)
	h.ada()
	id := h.loggedIn()
	for range 20 {
		_, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
		want(t, "initiate", err, "")
	}
	_, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
	want(t, "one more", err, mfa.TooManyInitiations)
	_, err = h.prove(id, "totp", h.code(0), "")
	want(t, "and on the page", err, mfa.TooManyInitiations)
}

func TestUsagesThatAreNotAllowedLookUnconfigured(t *testing.T) {
	h := newHouse(t)
	h.ada()
	h.create(mfa.Draft{Email: otherMail, Password: "another harbour at dusk"})
	_, err := h.initiate(h.begin(), ownMail, mfa.Choice{Method: "totp"})
	want(t, "second factor of nobody identified", err, mfa.NotConfigured)
	_, err = h.initiate(h.begin(), ownMail, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	want(t, "passwordless at a client that does not allow it", err, mfa.NotConfigured)
	_, err = h.initiate(h.loggedIn(), "", mfa.Choice{Method: "password"})
	want(t, "the password as second factor", err, mfa.NotConfigured)
	_, err = h.initiate(h.loggedIn(), "", mfa.Choice{Method: "carrier pigeon"})
	want(t, "no such method", err, mfa.NotConfigured)
	_, err = h.initiate(h.loggedIn(), otherMail, mfa.Choice{Method: "totp"})
	want(t, "another user's identifier", err, mfa.NotConfigured)
	_, err = h.initiate(h.loggedIn(), "", mfa.Choice{Method: "totp", Usage: "SECOND"})
	want(t, "no such usage", err, mfa.InvalidRequest)
	id := h.begin()
	want(t, "bob", h.login(id, otherMail, "another harbour at dusk"), "")
	_, err = h.initiate(id, "", mfa.Choice{Method: "totp"})
	want(t, "who enrolled none", err, mfa.NotConfigured)
	ada, err := h.store.AccountByIdentifier(context.Background(), ownMail)
	want(t, "read", err, "")
	for _, a := range ada.Authenticators {
		_, err = h.initiate(h.loggedIn(), "", mfa.Choice{Method: "totp", Authenticator: a.ID})
		if a.Method == "totp" {
			want(t, "its own", err, "")
			continue
		}
		want(t, "the id of an authenticator of another method", err, mfa.NotConfigured)
	}
	h.policy = mfa.Policy{MFA: mfa.MFAAlways, Passwordless: true}
	_, err = h.initiate(h.begin(), ownMail, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	want(t, "passwordless where the client demands two factors", err, mfa.NotConfigured)
	h.policy = mfa.Policy{Methods: []string{"recovery"}}
	_, err = h.initiate(h.loggedIn(), "", mfa.Choice{Method: "totp"})
	want(t, "a method the client does not allow", err, mfa.NotConfigured)
}

func TestPasswordlessIsOneFactor(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	u := h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	for _, usage := range []string{mfa.UsagePasswordless, mfa.UsageInitial} {
		id := h.begin()
		s, err := h.initiate(id, ownMail, mfa.Choice{Method: "totp", Usage: usage})
		want(t, "initiate", err, "")
		_, err = h.verify(s.Exchange, h.code(0))
		want(t, "verify", err, "")
		want(t, "as second factor", h.redeem(id, s.Status, mfa.UsageSecond), mfa.InvalidExchange)
		want(t, "redeem", h.redeem(id, s.Status, usage), "")
		v := h.verdict(id)
		if v.Need != mfa.NeedNothing || v.ACR != mfa.AAL1 || !slices.Equal(v.AMR, []string{"otp"}) || h.proving(id, "").Request.Subject != u.ID {
			t.Errorf("verdict = %+v, want done at aal1 with otp alone", v)
		}
		h.wait(30 * time.Second)
	}
}

func TestAUserWhoComesToWantTwoFactorsIsNotLetInByOne(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	u := h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	id := h.begin()
	s, err := h.initiate(id, ownMail, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	want(t, "initiate", err, "")
	_, err = h.verify(s.Exchange, h.code(0))
	want(t, "verify", err, "")
	on := true
	want(t, "the wish", h.store.UpdateUser(context.Background(), storage.UserChange{ID: u.ID, MFAEnabled: &on, Now: h.now()}), "")
	want(t, "redeem", h.redeem(id, s.Status, mfa.UsagePasswordless), mfa.InvalidExchange)
}

func TestLockingPasswordlessDoesNotLockTheSecondFactor(t *testing.T) {
	h := newHouse(t)
	h.policy.Passwordless = true
	h.create(mfa.Draft{Email: ownMail, Password: ownPass, TOTPSecret: secret32})
	for range 100 {
		s, err := h.initiate(h.begin(), ownMail, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
		want(t, "initiate", err, "")
		_, err = h.verify(s.Exchange, h.wrong())
		want(t, "wrong", err, mfa.InvalidPasscode)
		h.wait(time.Hour)
	}
	s, err := h.initiate(h.begin(), ownMail, mfa.Choice{Method: "totp", Usage: mfa.UsagePasswordless})
	want(t, "initiate", err, "")
	_, err = h.verify(s.Exchange, h.code(0))
	want(t, "passwordless", err, mfa.Locked)
	_, err = h.prove(h.loggedIn(), "totp", h.code(0), "")
	want(t, "after the password", err, "")
}
