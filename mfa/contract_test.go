package mfa_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// directory finds accounts as an engine does.
type directory map[storage.UserID]*storage.Account

func (d directory) Account(_ context.Context, id storage.UserID) (storage.Account, error) {
	if a := d[id]; a != nil {
		return *a, nil
	}
	return storage.Account{}, storage.ErrNotFound
}

func TestADiscoverablePasskeyKeepsTheContract(t *testing.T) {
	mfatest.Run(t, func(t *testing.T) mfatest.Fixture {
		devices := map[storage.UserID]*mfatest.Device{}
		made := func(id storage.UserID) *storage.Account {
			d, a, err := mfatest.NewDevice(rand.Reader, id, contractAt)
			if err != nil {
				t.Fatal(err)
			}
			devices[id] = d
			return account(id, a)
		}
		owner, other := made("owner"), made("other")
		answer := func(t *testing.T, who *storage.Account, c mfa.Challenge, _ time.Time) mfa.Response {
			r, err := devices[who.User.ID].Answer(c)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		return mfatest.Fixture{Method: &mfatest.Passkey{Accounts: directory{"owner": owner, "other": other}, Random: rand.Reader},
			Owner: owner, Other: other, Usage: mfa.UsageFirst, Now: contractAt, Late: time.Minute, Finds: true, Answer: answer,
			Wrong: func(t *testing.T, _ mfa.Challenge) mfa.Response {
				return answer(t, owner, mfa.Challenge(`"b3RoZXI="`), contractAt)
			},
			Malformed: []mfa.Response{nil, mfa.Typed("x"), mfa.Response("{}")}, Spend: counted(owner)}
	})
}

func TestAnApprovalElsewhereKeepsTheContract(t *testing.T) {
	mfatest.Run(t, func(*testing.T) mfatest.Fixture {
		phones := &mfatest.Phones{}
		return mfatest.Fixture{Method: &mfatest.Approval{Phones: phones, Random: rand.Reader}, Now: contractAt, Late: 2 * time.Minute,
			Owner: account("owner", storage.Authenticator{Method: "fake-approval"}), Other: account("other", storage.Authenticator{Method: "fake-approval"}),
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
	h := newHouse(t)
	u := h.ada()
	h.open(mfa.Options{AddressMax: -1}, &mfatest.Passkey{Accounts: h.store, Random: rand.Reader})
	d, a, err := mfatest.NewDevice(rand.Reader, u.ID, h.now())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "store passkey", h.store.PutAuthenticator(context.Background(), a, nil, nil), "")
	c := mfa.Choice{Method: "fake-passkey", Usage: mfa.UsageFirst}
	id := h.begin()
	s, err := h.initiate(id, "", c)
	want(t, "initiate", err, "")
	r, err := d.Answer(s.Challenge)
	want(t, "sign", err, "")
	_, err = h.verifier.Prove(context.Background(), h.visit, h.proving(id, ""), c, s.Exchange, r)
	want(t, "prove", err, "")
	p := h.proving(id, "")
	if v := h.verdict(id); p.Request.Subject != u.ID || v.Need != mfa.NeedNothing || v.ACR != mfa.PHR {
		t.Errorf("subject %q, verdict %+v; want %q and phr", p.Request.Subject, v, u.ID)
	}
	_, err = h.verifier.Prove(context.Background(), h.visit, p, c, s.Exchange, r)
	want(t, "the same response again", err, mfa.InvalidExchange)

	id = h.begin()
	s, err = h.initiate(id, "", c)
	want(t, "initiate for another surface", err, "")
	r, err = d.Answer(s.Challenge)
	want(t, "sign", err, "")
	v, err := h.verifier.Verify(context.Background(), h.visit, mfa.Answer{Exchange: s.Exchange, Method: "fake-passkey", Response: r})
	want(t, "verify", err, "")
	want(t, "redeem", h.verifier.Redeem(context.Background(), h.visit, h.proving(id, ""), v.Status, "fake-passkey", mfa.UsageFirst), "")
	if got := h.verdict(id); got.ACR != mfa.PHR {
		t.Errorf("acr = %s, want phr", got.ACR)
	}
}

func TestAnApprovalElsewhereInALogin(t *testing.T) {
	h := newHouse(t)
	u := h.ada()
	phones := &mfatest.Phones{}
	h.open(mfa.Options{AddressMax: -1}, &mfatest.Approval{Phones: phones, Random: rand.Reader})
	a := storage.Authenticator{ID: storage.AuthenticatorID(storage.Random128(rand.Reader)), UserID: u.ID, Method: "fake-approval",
		State: storage.AuthenticatorActive, CreatedAt: h.now(), UpdatedAt: h.now()}
	want(t, "store", h.store.PutAuthenticator(context.Background(), a, nil, nil), "")
	id := h.loggedIn()
	c := mfa.Choice{Method: "fake-approval"}
	s, err := h.initiate(id, "", c)
	want(t, "initiate", err, "")
	x, err := h.verifier.Prove(context.Background(), h.visit, h.proving(id, ""), c, s.Exchange, mfa.Response("{}"))
	want(t, "before it was approved", err, mfa.InvalidPasscode)
	want(t, "approve", phones.Approve(s.Challenge, u.ID), "")
	_, err = h.verifier.Prove(context.Background(), h.visit, h.proving(id, ""), c, x, mfa.Response("{}"))
	want(t, "after it was approved", err, "")
	_, err = h.verifier.Prove(context.Background(), h.visit, h.proving(id, ""), c, x, mfa.Response("{}"))
	want(t, "again", err, mfa.InvalidExchange)
	if v := h.verdict(id); v.ACR != mfa.AAL2 {
		t.Errorf("acr = %s, want aal2", v.ACR)
	}
}

func FuzzResponses(f *testing.F) {
	for _, s := range []string{`"123456"`, `"ABCD-EFGH-IJKL"`, `null`, `{}`, `"\u0000"`, `"12345678"`, `[`, ``} {
		f.Add([]byte(s))
	}
	keyring, _ := storagetest.Keyring(f, contractAt)
	methods := []mfa.Method{mfa.NewPassword(keyring, rand.Reader, mfa.PasswordOptions{Memory: 64, Time: 1}), mfa.NewTOTP(rand.Reader, "p", mfa.TOTPOptions{}), mfa.NewRecovery(paper{}, rand.Reader)}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range methods {
			a := mfa.Attempt{Now: contractAt, Usage: mfa.UsageSecond}
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
