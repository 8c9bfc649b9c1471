package methodtest_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/methodtest"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/password"
	"sallyport/mfa/recovery"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// directory finds accounts by ID.
type directory map[storage.UserID]*storage.Account

func (d directory) Account(_ context.Context, id storage.UserID) (storage.Account, error) {
	if a := d[id]; a != nil {
		return *a, nil
	}
	return storage.Account{}, storage.ErrNotFound
}

func TestADiscoverablePasskeyKeepsTheContract(t *testing.T) {
	methodtest.Run(t, func(t *testing.T) methodtest.Fixture {
		devices := map[storage.UserID]*methodtest.Device{}
		made := func(id storage.UserID) *storage.Account {
			d, a, err := methodtest.NewDevice(rand.Reader, id, methodtest.Now)
			if err != nil {
				t.Fatal(err)
			}
			devices[id] = d
			return methodtest.Account(id, a)
		}
		owner, other := made("owner"), made("other")
		answer := func(t *testing.T, who *storage.Account, c mfa.Challenge, _ time.Time) mfa.Response {
			r, err := devices[who.User.ID].Answer(c)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		return methodtest.Fixture{Method: &methodtest.Passkey{Accounts: directory{"owner": owner, "other": other}, Random: rand.Reader},
			Owner: owner, Other: other, Usage: mfa.UsageFirst, Now: methodtest.Now, Late: time.Minute, FindsUser: true, Answer: answer,
			Wrong: func(t *testing.T, _ mfa.Challenge) mfa.Response {
				return answer(t, owner, mfa.Challenge(`"b3RoZXI="`), methodtest.Now)
			},
			Malformed: []mfa.Response{nil, mfa.Typed("x"), mfa.Response("{}")}, Spend: methodtest.SpendStep(owner)}
	})
}

func TestAnApprovalElsewhereKeepsTheContract(t *testing.T) {
	methodtest.Run(t, func(*testing.T) methodtest.Fixture {
		phones := &methodtest.Phones{}
		return methodtest.Fixture{Method: &methodtest.Approval{Phones: phones, Random: rand.Reader}, Now: methodtest.Now, Late: 2 * time.Minute,
			Owner: methodtest.Account("owner", storage.Authenticator{Method: "fake-approval"}), Other: methodtest.Account("other", storage.Authenticator{Method: "fake-approval"}),
			Answer: func(t *testing.T, who *storage.Account, c mfa.Challenge, _ time.Time) mfa.Response {
				if err := phones.Approve(c, who.User.ID); err != nil {
					t.Fatal(err)
				}
				return mfa.Response("{}")
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Response("{}") },
			Malformed: []mfa.Response{nil, mfa.Typed("x"), mfa.Response("[]")}}
	})
}

func TestAPasskeyFindsItsUserInALogin(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	h.Open(exchange.Options{AddressMax: -1}, &methodtest.Passkey{Accounts: h.Store, Random: rand.Reader})
	d, a, err := methodtest.NewDevice(rand.Reader, u.ID, h.Now())
	if err != nil {
		t.Fatal(err)
	}
	mfatest.Want(t, "store passkey", h.Store.PutAuthenticator(context.Background(), a, nil, nil), "")
	c := exchange.Choice{Method: "fake-passkey", Usage: mfa.UsageFirst}
	id := h.OpenRequest()
	s, err := h.Initiate(id, "", c)
	mfatest.Want(t, "initiate", err, "")
	r, err := d.Answer(s.Challenge)
	mfatest.Want(t, "sign", err, "")
	_, err = h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), c, s.Exchange, r)
	mfatest.Want(t, "prove", err, "")
	p := h.Read(id, "")
	if v := h.Verdict(id); p.Request.Subject != u.ID || v.Need != mfa.NeedNothing || v.ACR != mfa.PHR {
		t.Errorf("subject %q, verdict %+v; want %q and phr", p.Request.Subject, v, u.ID)
	}
	_, err = h.Verifier.Prove(context.Background(), h.Caller, p, c, s.Exchange, r)
	mfatest.Want(t, "the same response again", err, mfa.InvalidExchange)

	id = h.OpenRequest()
	s, err = h.Initiate(id, "", c)
	mfatest.Want(t, "initiate for another surface", err, "")
	r, err = d.Answer(s.Challenge)
	mfatest.Want(t, "sign", err, "")
	v, err := h.Verifier.Verify(context.Background(), h.Caller, exchange.Answer{Exchange: s.Exchange, Method: "fake-passkey", Response: r})
	mfatest.Want(t, "verify", err, "")
	mfatest.Want(t, "redeem", h.Verifier.Redeem(context.Background(), h.Caller, h.Read(id, ""), v.Status, "fake-passkey", mfa.UsageFirst), "")
	if got := h.Verdict(id); got.ACR != mfa.PHR {
		t.Errorf("acr = %s, want phr", got.ACR)
	}
}

func TestAnApprovalElsewhereInALogin(t *testing.T) {
	h := mfatest.New(t)
	u := h.CreateAda()
	phones := &methodtest.Phones{}
	h.Open(exchange.Options{AddressMax: -1}, &methodtest.Approval{Phones: phones, Random: rand.Reader})
	a := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(rand.Reader)), UserID: u.ID, Method: "fake-approval",
		State: storage.AuthenticatorActive, CreatedAt: h.Now(), UpdatedAt: h.Now()}
	mfatest.Want(t, "store", h.Store.PutAuthenticator(context.Background(), a, nil, nil), "")
	id := h.SignedIn()
	c := exchange.Choice{Method: "fake-approval"}
	s, err := h.Initiate(id, "", c)
	mfatest.Want(t, "initiate", err, "")
	x, err := h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), c, s.Exchange, mfa.Response("{}"))
	mfatest.Want(t, "before it was approved", err, mfa.InvalidPasscode)
	mfatest.Want(t, "approve", phones.Approve(s.Challenge, u.ID), "")
	_, err = h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), c, x, mfa.Response("{}"))
	mfatest.Want(t, "after it was approved", err, "")
	_, err = h.Verifier.Prove(context.Background(), h.Caller, h.Read(id, ""), c, x, mfa.Response("{}"))
	mfatest.Want(t, "again", err, mfa.InvalidExchange)
	if v := h.Verdict(id); v.ACR != mfa.AAL2 {
		t.Errorf("acr = %s, want aal2", v.ACR)
	}
}

func FuzzResponses(f *testing.F) {
	for _, s := range []string{`"123456"`, `"ABCD-EFGH-IJKL"`, `null`, `{}`, `"\u0000"`, `"12345678"`, `[`, ``} {
		f.Add([]byte(s))
	}
	keyring, _ := storagetest.Keyring(f, methodtest.Now)
	methods := []mfa.Method{password.New(keyring, time.Now, rand.Reader, password.Options{Memory: 64, Time: 1}), totp.New(rand.Reader, "p", totp.Options{}), recovery.New(methodtest.Codes{}, rand.Reader)}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range methods {
			a := mfa.Attempt{Now: methodtest.Now, Usage: mfa.UsageSecond}
			err := m.(mfa.Parser).Parse(a, raw)
			if err != nil && mfa.CodeOf(err) != mfa.InvalidRequest {
				t.Errorf("%s: Parse(%q) = %v", m.Info().Name, raw, err)
			}
			_, finish := m.Finish(context.Background(), a, nil, raw)
			if finish == nil || (err != nil) != (mfa.CodeOf(finish) == mfa.InvalidRequest) {
				t.Errorf("%s: Parse(%q) = %v, but Finish = %v", m.Info().Name, raw, err, finish)
			}
			if err == nil && !json.Valid(raw) {
				t.Errorf("%s accepts %q", m.Info().Name, raw)
			}
		}
	})
}
