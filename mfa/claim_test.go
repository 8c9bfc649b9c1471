package mfa_test

import (
	"context"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

var second = []string{mfa.UsageSecond, mfa.UsageEnroll}

func TestAClaimMustAgree(t *testing.T) {
	some := "00000000-0000-0000-0000-000000000001"
	for _, tc := range []struct {
		name  string
		claim func(s mfa.Started, v mfa.Verified) mfa.Claim
		want  mfa.Code
	}{
		{"nothing but the usage", func(mfa.Started, mfa.Verified) mfa.Claim { return mfa.Claim{Usages: second} }, ""},
		{"everything", func(s mfa.Started, v mfa.Verified) mfa.Claim {
			return mfa.Claim{Status: s.Status, Exchange: v.Exchange, Method: "totp", Sub: s.Sub, Usages: second}
		}, ""},
		{"another usage", func(s mfa.Started, _ mfa.Verified) mfa.Claim {
			return mfa.Claim{Status: s.Status, Usages: []string{mfa.UsagePasswordless, mfa.UsageInitial}}
		}, mfa.InvalidExchange},
		{"another method", func(s mfa.Started, _ mfa.Verified) mfa.Claim {
			return mfa.Claim{Status: s.Status, Method: "recovery", Usages: second}
		}, mfa.InvalidExchange},
		{"another subject", func(s mfa.Started, _ mfa.Verified) mfa.Claim {
			return mfa.Claim{Status: s.Status, Sub: some, Usages: second}
		}, mfa.InvalidExchange},
		{"an exchange that was rotated", func(s mfa.Started, _ mfa.Verified) mfa.Claim {
			return mfa.Claim{Status: s.Status, Exchange: s.Exchange, Usages: second}
		}, mfa.InvalidExchange},
		{"a status nobody began", func(mfa.Started, mfa.Verified) mfa.Claim {
			return mfa.Claim{Status: storage.StatusID(some), Usages: second}
		}, mfa.InvalidExchange},
		{"a status that is none", func(mfa.Started, mfa.Verified) mfa.Claim { return mfa.Claim{Status: "x", Usages: second} }, mfa.InvalidExchange},
		{"no usage", func(s mfa.Started, _ mfa.Verified) mfa.Claim { return mfa.Claim{Status: s.Status} }, mfa.InvalidExchange},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			h.ada()
			id := h.loggedIn()
			s, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
			want(t, "initiate", err, "")
			want(t, "before verification", h.claim(id, tc.claim(s, mfa.Verified{Exchange: s.Exchange})), mfa.InvalidExchange)
			v, err := h.verify(s.Exchange, h.code(0))
			want(t, "verify", err, "")
			want(t, "claim", h.claim(id, tc.claim(s, v)), tc.want)
			if tc.want == "" {
				want(t, "the second time", h.claim(id, tc.claim(s, v)), mfa.InvalidExchange)
			}
		})
	}
}

func TestCancelling(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	id := h.loggedIn()
	ctx := context.Background()
	s, err := h.initiate(id, "", mfa.Choice{Method: "totp"})
	want(t, "initiate", err, "")
	_, err = h.verifier.Cancel(ctx, h.visit, mfa.Answer{Exchange: s.Exchange, Method: "recovery"})
	want(t, "another method", err, mfa.InvalidExchange)
	_, err = h.verifier.Cancel(ctx, mfa.Visit{Browser: "browser-b"}, mfa.Answer{Exchange: s.Exchange, Method: "totp"})
	want(t, "another browser", err, mfa.InvalidExchange)
	_, err = h.verifier.Cancel(ctx, h.visit, mfa.Answer{Exchange: "x", Method: "totp"})
	want(t, "no exchange", err, mfa.InvalidExchange)
	got, err := h.verifier.Cancel(ctx, h.visit, mfa.Answer{Exchange: s.Exchange, Method: "totp"})
	want(t, "cancel", err, "")
	if got != s.Status {
		t.Errorf("status = %s, want %s", got, s.Status)
	}
	_, err = h.verifier.Cancel(ctx, h.visit, mfa.Answer{Exchange: s.Exchange, Method: "totp"})
	want(t, "again", err, mfa.InvalidExchange)
	_, err = h.verify(s.Exchange, h.code(0))
	want(t, "a right code", err, mfa.InvalidExchange)
	p, err := h.verifier.Progress(ctx, u.ID, s.Status)
	want(t, "progress", err, "")
	if p.State != storage.StatusCancelled {
		t.Errorf("state = %s", p.State)
	}
	for _, other := range []storage.UserID{"", "00000000-0000-0000-0000-000000000001"} {
		_, err = h.verifier.Progress(ctx, other, s.Status)
		want(t, "somebody else's progress", err, mfa.InvalidExchange)
	}
	h.wait(5 * time.Minute)
	_, err = h.verifier.Progress(ctx, u.ID, s.Status)
	want(t, "an expired one", err, mfa.InvalidExchange)
}

func TestConfirmingByTheExchangeAlone(t *testing.T) {
	h := newHouse(t)
	u := h.create(mfa.Draft{Email: ownMail, EmailVerified: true, Password: ownPass})
	ctx := context.Background()
	confirm := func(x storage.ExchangeID, typed, sub string) (mfa.Verified, error) {
		return h.verifier.ConfirmAlone(ctx, h.visit, mfa.Answer{Exchange: x, Method: "totp", Response: mfa.Typed(typed), Sub: sub})
	}
	phone := func(e mfa.Enrolling) string {
		account, err := h.store.Account(ctx, u.ID)
		want(t, "account", err, "")
		for _, a := range account.Authenticators {
			if a.ID == e.Authenticator {
				return h.totp.CodeOf(a, h.now())
			}
		}
		t.Fatal("no such authenticator")
		return ""
	}
	id := h.loggedIn()
	e, err := h.verifier.BeginEnrollment(ctx, h.visit, h.proving(id, ""), "totp", "")
	want(t, "begin", err, "")
	_, err = confirm(e.Exchange, "000000", "")
	want(t, "a wrong code", err, mfa.InvalidPasscode)
	_, err = confirm(e.Exchange, phone(e), string(u.ID))
	want(t, "the real subject in a login", err, mfa.InvalidExchange)
	want(t, "claim before", h.claim(id, mfa.Claim{Usages: second}), mfa.InvalidExchange)
	v, err := confirm(e.Exchange, phone(e), "")
	want(t, "the right code", err, "")
	if v.Status != e.Status || v.Exchange == e.Exchange {
		t.Errorf("confirmed %+v after %+v", v, e)
	}
	_, err = confirm(v.Exchange, phone(e), "")
	want(t, "the next exchange", err, mfa.InvalidExchange)
	want(t, "name", h.verifier.NameEnrolled(ctx, h.visit, h.proving(id, ""), "totp", "my phone"), "")
	want(t, "name another method", h.verifier.NameEnrolled(ctx, h.visit, h.proving(id, ""), "recovery", "x"), mfa.InvalidExchange)
	want(t, "another login", h.claim(h.loggedIn(), mfa.Claim{Usages: second}), mfa.InvalidExchange)
	want(t, "claim", h.claim(id, mfa.Claim{Usages: second}), "")
	if got := h.verdict(id); got.ACR != mfa.AAL2 {
		t.Errorf("acr = %s, want aal2", got.ACR)
	}
	account, err := h.store.Account(ctx, u.ID)
	want(t, "account", err, "")
	if !account.User.MFAEnabled || len(account.Authenticators) != 2 {
		t.Errorf("account = %+v", account)
	}
	for _, a := range account.Authenticators {
		if a.Method == "totp" && a.Name != "my phone" {
			t.Errorf("it is called %q", a.Name)
		}
	}

	h.wait(time.Minute)
	owner := mfa.Owner{Account: account, Factors: h.proving(id, "").Request.Factors, Origin: "dialect"}
	e, err = h.verifier.EnrollFor(ctx, h.visit, owner, mfa.NewFactor{Method: "totp"})
	want(t, "a second phone", err, "")
	_, err = confirm(e.Exchange, phone(e), string(u.ID))
	want(t, "the second phone", err, "")
	owner.Origin = mfa.OriginAccount
	e, err = h.verifier.EnrollFor(ctx, h.visit, owner, mfa.NewFactor{Method: "totp"})
	want(t, "a third phone, on the account page", err, "")
	_, err = confirm(e.Exchange, phone(e), "")
	want(t, "without its session", err, mfa.InvalidExchange)
}
