package mfa_test

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/storage"
)

func account(id storage.UserID, as ...storage.Authenticator) *storage.Account {
	a := &storage.Account{User: storage.User{ID: id, Status: storage.UserActive}}
	for _, x := range as {
		x.UserID, x.State = id, storage.AuthenticatorActive
		if x.ID == "" {
			x.ID = storage.AuthenticatorID(storage.Random128(rand.Reader))
		}
		a.Authenticators = append(a.Authenticators, x)
	}
	return a
}

var contractNow = time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC)

// counted is what the engine does with a growing counter.
func counted(a *storage.Account) func(mfa.Proof) error {
	return func(p mfa.Proof) error {
		for i := range a.Authenticators {
			if x := &a.Authenticators[i]; x.ID == p.Spend.Authenticator && x.Counter < p.Spend.Step {
				x.Counter = p.Spend.Step
				return nil
			}
		}
		return storage.ErrConflict
	}
}

func TestTOTPKeepsTheContract(t *testing.T) {
	mfatest.Run(t, func(*testing.T) mfatest.Fixture {
		m := mfa.NewTOTP(rand.Reader, "Sallyport", mfa.TOTPOptions{})
		owner := account("owner", storage.Authenticator{Method: "totp", Secret: []byte("12345678901234567890")})
		other := account("other", storage.Authenticator{Method: "totp", Secret: []byte("09876543210987654321")})
		return mfatest.Fixture{Method: m, Owner: owner, Other: other, Now: contractNow, Late: time.Minute,
			Answer: func(_ *testing.T, who *storage.Account, _ mfa.Challenge, at time.Time) mfa.Response {
				return mfa.Typed(m.CodeAt(who.Authenticators[0].Secret, at))
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("000000") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Typed("12345"), mfa.Typed("12 34 56"), mfa.Response("123456")},
			Spend:     counted(owner)}
	})
}

func TestPasswordKeepsTheContract(t *testing.T) {
	h := newHouse(t)
	mfatest.Run(t, func(t *testing.T) mfatest.Fixture {
		made := func(plain string) storage.Authenticator {
			text, err := h.password.Hash(context.Background(), plain)
			if err != nil {
				t.Fatal(err)
			}
			return storage.Authenticator{Method: "password", Secret: []byte(text)}
		}
		words := map[storage.UserID]string{"owner": ownPass, "other": "another harbour at dusk"}
		return mfatest.Fixture{Method: h.password, Owner: account("owner", made(words["owner"])), Other: account("other", made(words["other"])),
			Usage: mfa.UsageFirst, Now: contractNow, Lasting: true,
			Answer: func(_ *testing.T, who *storage.Account, _ mfa.Challenge, _ time.Time) mfa.Response {
				return mfa.Typed(words[who.User.ID])
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("neither of the two") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Response("null"), mfa.Response("{}")}}
	})
}

// paper is a set of recovery codes for each user.
type paper map[storage.UserID][]string

func (p paper) RecoveryCodes(_ context.Context, user storage.UserID) ([]string, error) {
	return p[user], nil
}

func TestRecoveryKeepsTheContract(t *testing.T) {
	mfatest.Run(t, func(*testing.T) mfatest.Fixture {
		codes := paper{"owner": {"aaaa1111bbbb", "aaaa2222bbbb"}, "other": {"cccc1111dddd"}}
		printed := map[storage.UserID]string{"owner": "AAAA-2222-BBBB", "other": "cccc1111dddd"}
		return mfatest.Fixture{Method: mfa.NewRecovery(codes, rand.Reader), Now: contractNow,
			Owner: account("owner", storage.Authenticator{Method: "recovery"}), Other: account("other", storage.Authenticator{Method: "recovery"}),
			Answer: func(_ *testing.T, who *storage.Account, _ mfa.Challenge, _ time.Time) mfa.Response {
				return mfa.Typed(printed[who.User.ID])
			},
			Wrong:     func(*testing.T, mfa.Challenge) mfa.Response { return mfa.Typed("zzzz-zzzz-zzzz") },
			Malformed: []mfa.Response{nil, mfa.Typed(""), mfa.Typed("zzzz-zzzz"), mfa.Response("12")},
			Spend: func(p mfa.Proof) error {
				i := slices.Index(codes[p.User], p.Spend.Code)
				if i < 0 {
					return storage.ErrConflict
				}
				codes[p.User] = slices.Delete(codes[p.User], i, i+1)
				return nil
			}}
	})
}

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
			d, a, err := mfatest.NewDevice(rand.Reader, id, contractNow)
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
			Owner: owner, Other: other, Usage: mfa.UsageFirst, Now: contractNow, Late: time.Minute, Finds: true, Answer: answer,
			Wrong: func(t *testing.T, _ mfa.Challenge) mfa.Response {
				return answer(t, owner, mfa.Challenge(`"b3RoZXI="`), contractNow)
			},
			Malformed: []mfa.Response{nil, mfa.Typed("x"), mfa.Response("{}")}, Spend: counted(owner)}
	})
}

func TestAnApprovalElsewhereKeepsTheContract(t *testing.T) {
	mfatest.Run(t, func(*testing.T) mfatest.Fixture {
		phones := &mfatest.Phones{}
		return mfatest.Fixture{Method: &mfatest.Approval{Phones: phones, Random: rand.Reader}, Now: contractNow, Late: 2 * time.Minute,
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
