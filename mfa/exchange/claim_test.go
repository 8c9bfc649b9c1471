package exchange_test

import (
	"context"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

var second = []string{mfa.UsageSecond, mfa.UsageEnroll}

func TestAClaimMustMatchTheStatus(t *testing.T) {
	some := "00000000-0000-0000-0000-000000000001"
	for _, tc := range []struct {
		name  string
		claim func(s exchange.Initiation, v exchange.Verified) exchange.Claim
		want  mfa.Code
	}{
		{"nothing but the usage", func(exchange.Initiation, exchange.Verified) exchange.Claim { return exchange.Claim{Usages: second} }, ""},
		{"everything", func(s exchange.Initiation, v exchange.Verified) exchange.Claim {
			return exchange.Claim{Status: s.Status, Exchange: v.Exchange, Method: "totp", Sub: s.Sub, Usages: second}
		}, ""},
		{"another usage", func(s exchange.Initiation, _ exchange.Verified) exchange.Claim {
			return exchange.Claim{Status: s.Status, Usages: []string{mfa.UsagePasswordless, mfa.UsageInitial}}
		}, mfa.InvalidExchange},
		{"another method", func(s exchange.Initiation, _ exchange.Verified) exchange.Claim {
			return exchange.Claim{Status: s.Status, Method: "recovery", Usages: second}
		}, mfa.InvalidExchange},
		{"another subject", func(s exchange.Initiation, _ exchange.Verified) exchange.Claim {
			return exchange.Claim{Status: s.Status, Sub: some, Usages: second}
		}, mfa.InvalidExchange},
		{"an exchange that was rotated", func(s exchange.Initiation, _ exchange.Verified) exchange.Claim {
			return exchange.Claim{Status: s.Status, Exchange: s.Exchange, Usages: second}
		}, mfa.InvalidExchange},
		{"an unknown status", func(exchange.Initiation, exchange.Verified) exchange.Claim {
			return exchange.Claim{Status: storage.StatusID(some), Usages: second}
		}, mfa.InvalidExchange},
		{"a malformed status", func(exchange.Initiation, exchange.Verified) exchange.Claim {
			return exchange.Claim{Status: "x", Usages: second}
		}, mfa.InvalidExchange},
		{"no usage", func(s exchange.Initiation, _ exchange.Verified) exchange.Claim {
			return exchange.Claim{Status: s.Status}
		}, mfa.InvalidExchange},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mfatest.New(t)
			h.CreateAda()
			id := h.SignedIn()
			s, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
			mfatest.Want(t, "initiate", err, "")
			mfatest.Want(t, "before verification", h.Claim(id, tc.claim(s, exchange.Verified{Exchange: s.Exchange})), mfa.InvalidExchange)
			v, err := h.Verify(s.Exchange, h.Code(0))
			mfatest.Want(t, "verify", err, "")
			mfatest.Want(t, "claim", h.Claim(id, tc.claim(s, v)), tc.want)
			if tc.want == "" {
				mfatest.Want(t, "the second time", h.Claim(id, tc.claim(s, v)), mfa.InvalidExchange)
			}
		})
	}
}

func TestCancelling(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	id := h.SignedIn()
	ctx := context.Background()
	s, err := h.Initiate(id, "", exchange.Choice{Method: "totp"})
	mfatest.Want(t, "initiate", err, "")
	_, err = h.Verifier.Cancel(ctx, h.Caller, exchange.Answer{Exchange: s.Exchange, Method: "recovery"})
	mfatest.Want(t, "another method", err, mfa.InvalidExchange)
	_, err = h.Verifier.Cancel(ctx, mfa.Caller{Browser: "browser-b"}, exchange.Answer{Exchange: s.Exchange, Method: "totp"})
	mfatest.Want(t, "another browser", err, mfa.InvalidExchange)
	_, err = h.Verifier.Cancel(ctx, h.Caller, exchange.Answer{Exchange: "x", Method: "totp"})
	mfatest.Want(t, "no exchange", err, mfa.InvalidExchange)
	got, err := h.Verifier.Cancel(ctx, h.Caller, exchange.Answer{Exchange: s.Exchange, Method: "totp"})
	mfatest.Want(t, "cancel", err, "")
	if got != s.Status {
		t.Errorf("status = %s, want %s", got, s.Status)
	}
	_, err = h.Verifier.Cancel(ctx, h.Caller, exchange.Answer{Exchange: s.Exchange, Method: "totp"})
	mfatest.Want(t, "again", err, mfa.InvalidExchange)
	_, err = h.Verify(s.Exchange, h.Code(0))
	mfatest.Want(t, "a right code", err, mfa.InvalidExchange)
	p, err := h.Verifier.Progress(ctx, u.ID, s.Status)
	mfatest.Want(t, "progress", err, "")
	if p.State != storage.StatusCancelled {
		t.Errorf("state = %s", p.State)
	}
	for _, other := range []storage.UserID{"", "00000000-0000-0000-0000-000000000001"} {
		_, err = h.Verifier.Progress(ctx, other, s.Status)
		mfatest.Want(t, "progress of another user", err, mfa.InvalidExchange)
	}
	h.Advance(5 * time.Minute)
	_, err = h.Verifier.Progress(ctx, u.ID, s.Status)
	mfatest.Want(t, "an expired one", err, mfa.InvalidExchange)
}

func TestConfirmingByTheExchangeAlone(t *testing.T) {
	h := mfatest.New(t)
	u := h.Create(users.Draft{Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password})
	ctx := context.Background()
	confirm := func(x storage.ExchangeID, typed, sub string) (exchange.Verified, error) {
		return h.Verifier.ConfirmAlone(ctx, h.Caller, exchange.Answer{Exchange: x, Method: "totp", Response: mfa.Typed(typed), Sub: sub})
	}
	phone := func(e exchange.Enrolling) string {
		account, err := h.Store.Account(ctx, u.ID)
		mfatest.Want(t, "account", err, "")
		for _, a := range account.Authenticators {
			if a.ID == e.Authenticator {
				return h.TOTP.CodeOf(a, h.Now())
			}
		}
		t.Fatal("no such authenticator")
		return ""
	}
	id := h.SignedIn()
	e, err := h.Verifier.Enroll(ctx, h.Caller, h.Verifier.InLogin(h.Read(id, "")), exchange.NewFactor{Method: "totp", Name: ""})
	mfatest.Want(t, "begin", err, "")
	_, err = confirm(e.Exchange, "000000", "")
	mfatest.Want(t, "a wrong code", err, mfa.InvalidPasscode)
	_, err = confirm(e.Exchange, phone(e), string(u.ID))
	mfatest.Want(t, "the real subject in a login", err, mfa.InvalidExchange)
	mfatest.Want(t, "claim before", h.Claim(id, exchange.Claim{Usages: second}), mfa.InvalidExchange)
	v, err := confirm(e.Exchange, phone(e), "")
	mfatest.Want(t, "the right code", err, "")
	if v.Status != e.Status || v.Exchange == e.Exchange {
		t.Errorf("confirmed %+v after %+v", v, e)
	}
	_, err = confirm(v.Exchange, phone(e), "")
	mfatest.Want(t, "the next exchange", err, mfa.InvalidExchange)
	mfatest.Want(t, "name", h.Accounts.NameEnrolled(ctx, h.Caller, h.Read(id, ""), "totp", "my phone"), "")
	mfatest.Want(t, "name another method", h.Accounts.NameEnrolled(ctx, h.Caller, h.Read(id, ""), "recovery", "x"), mfa.InvalidExchange)
	mfatest.Want(t, "another login", h.Claim(h.SignedIn(), exchange.Claim{Usages: second}), mfa.InvalidExchange)
	mfatest.Want(t, "claim", h.Claim(id, exchange.Claim{Usages: second}), "")
	if got := h.Verdict(id); got.ACR != mfa.AAL2 {
		t.Errorf("acr = %s, want aal2", got.ACR)
	}
	account, err := h.Store.Account(ctx, u.ID)
	mfatest.Want(t, "account", err, "")
	if !account.User.MFAEnabled || len(account.Authenticators) != 2 {
		t.Errorf("account = %+v", account)
	}
	for _, a := range account.Authenticators {
		if a.Method == "totp" && a.Name != "my phone" {
			t.Errorf("it is called %q", a.Name)
		}
	}

	h.Advance(time.Minute)
	owner := mfa.Owner{Account: account, Factors: h.Read(id, "").Request.Factors, Origin: "dialect"}
	e, err = h.Verifier.Enroll(ctx, h.Caller, exchange.SignedIn(owner), exchange.NewFactor{Method: "totp"})
	mfatest.Want(t, "a second phone", err, "")
	_, err = confirm(e.Exchange, phone(e), string(u.ID))
	mfatest.Want(t, "the second phone", err, "")
	owner.Origin = mfa.OriginAccount
	e, err = h.Verifier.Enroll(ctx, h.Caller, exchange.SignedIn(owner), exchange.NewFactor{Method: "totp"})
	mfatest.Want(t, "a third phone, on the account page", err, "")
	_, err = confirm(e.Exchange, phone(e), "")
	mfatest.Want(t, "without its session", err, mfa.InvalidExchange)
}
