package selfservice_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// undo returns the link in the newest message to an address that has one.
func (h addressFixture) undo(address string) string {
	h.T.Helper()
	for _, m := range h.Messages() {
		if m.Recipient == address && m.Data["undo"] != "" {
			return m.Data["undo"]
		}
	}
	h.T.Fatalf("no message to %s has a link", address)
	return ""
}

// adaWithMail is a user with a proven address and no second factor.
func (h addressFixture) adaWithMail() storage.UserID {
	h.T.Helper()
	return h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password}).ID
}

func changed(o mfa.Owner, from, to string) selfservice.NewAddress {
	return selfservice.NewAddress{Kind: storage.Email, Typed: to, Replaces: idOf(o.Account, from)}
}

func TestTheOldAddressUndoesAChange(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx, id := context.Background(), h.adaWithMail()
		o := h.Session(id, "password")
		h.prove(o, changed(o, mfatest.Email, newMail))
		link := h.undo(mfatest.Email)
		for range 3 { // a mail scanner follows the link
			u, err := h.Accounts.FindUndo(ctx, link)
			mfatest.Want(t, "find", err, "")
			if len(u.Restored) != 1 || u.Restored[0] != mfatest.Email || len(u.Removed) != 1 || u.Removed[0] != newMail {
				t.Errorf("it undoes %+v", u)
			}
		}
		h.is(id, map[string]bool{"ada": true, newMail: true})
		h.Advance(7*24*time.Hour - 2*time.Minute)
		other := h.Session(id, "password")
		mfatest.Want(t, "undo", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, link), "")
		h.is(id, map[string]bool{"ada": true, mfatest.Email: true})
		if h.Reload(other) != nil {
			t.Error("a session has not ended")
		}
		mfatest.Want(t, "undo again", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, link), mfa.RequestOver)
		_, err := h.Accounts.FindUndo(ctx, link)
		mfatest.Want(t, "find again", err, mfa.RequestOver)
		for _, none := range []string{"", "x", storage.Random128(zero{})} {
			mfatest.Want(t, "no link", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, none), mfa.UnknownRequest)
		}
	})
}

type zero struct{}

func (zero) Read(b []byte) (int, error) { return len(b), nil }

func TestAnUndoEndsAfterSevenDays(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		id := h.adaWithMail()
		o := h.Session(id, "password")
		h.prove(o, changed(o, mfatest.Email, newMail))
		link := h.undo(mfatest.Email)
		h.Advance(7 * 24 * time.Hour)
		mfatest.Want(t, "undo", h.Accounts.UndoAddresses(context.Background(), mfa.Caller{}, link), mfa.RequestOver)
		h.is(id, map[string]bool{"ada": true, newMail: true})
	})
}

// Whoever took an account over cannot outrun its owner: not by another change, not by adding an
// address and removing the old one, and not by undoing the undo.
func TestAnAttackerDoesNotOutrunTheOwner(t *testing.T) {
	const second = "eve@two.example"
	for name, attack := range map[string]func(h addressFixture, o mfa.Owner){
		"a second change": func(h addressFixture, o mfa.Owner) {
			o = h.prove(o, changed(o, mfatest.Email, newMail))
			h.prove(o, changed(o, newMail, second))
		},
		"an addition and a removal": func(h addressFixture, o mfa.Owner) {
			o = h.prove(o, selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
			mfatest.Want(h.T, "remove", h.Accounts.RemoveAddress(context.Background(), h.Caller, o, idOf(o.Account, mfatest.Email)), "")
			o.Account = h.account(o.Account.User.ID)
			h.prove(o, changed(o, newMail, second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, h addressFixture) {
				ctx, id := context.Background(), h.adaWithMail()
				o := h.Session(id, "password")
				attack(h, o)
				h.is(id, map[string]bool{"ada": true, second: true})
				theirs := h.undo(newMail)
				var oldest string
				for _, m := range h.Messages() { // newest first
					if m.Recipient == mfatest.Email && m.Data["undo"] != "" {
						oldest = m.Data["undo"]
					}
				}
				mfatest.Want(t, "the owner undoes it", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, oldest), "")
				h.is(id, map[string]bool{"ada": true, mfatest.Email: true})
				mfatest.Want(t, "the attacker undoes that", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, theirs), mfa.RequestOver)
			})
		})
	}
}

func TestALaterUndoLeavesTheOlderOneValid(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx, id := context.Background(), h.adaWithMail()
		o := h.Session(id, "password")
		o = h.prove(o, changed(o, mfatest.Email, newMail))
		h.prove(o, changed(o, newMail, "eve@two.example"))
		mfatest.Want(t, "the attacker undoes the second change", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, h.undo(newMail)), "")
		h.is(id, map[string]bool{"ada": true, newMail: true})
		mfatest.Want(t, "the owner undoes the first", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, h.undo(mfatest.Email)), "")
		h.is(id, map[string]bool{"ada": true, mfatest.Email: true})
	})
}

func TestAnUndoRacesWithAnotherChange(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx, id := context.Background(), h.adaWithMail()
		o := h.Session(id, "password")
		o = h.prove(o, changed(o, mfatest.Email, newMail))
		link := h.undo(mfatest.Email)
		const racers = 3
		var sent [racers]exchange.AddressSent
		var codes [racers]string
		for i := range racers {
			var err error
			sent[i], err = h.send(o, selfservice.NewAddress{Kind: storage.Email, Typed: string(rune('a'+i)) + "@eve.example"})
			mfatest.Want(t, "send", err, "")
			codes[i], _ = h.SentCode(sent[i].Address)
		}
		var all sync.WaitGroup
		for i := range racers {
			all.Go(func() { _ = h.confirm(o, sent[i].Exchange, codes[i]) })
		}
		all.Go(func() {
			if err := h.Accounts.UndoAddresses(ctx, mfa.Caller{}, link); err != nil {
				t.Errorf("undo: %v", err)
			}
		})
		all.Wait()
		h.is(id, map[string]bool{"ada": true, mfatest.Email: true})
	})
}

func TestAnUndoRestoresTheSecondFactor(t *testing.T) {
	for name, attack := range map[string]func(h addressFixture, o mfa.Owner){
		"after a change": func(h addressFixture, o mfa.Owner) { h.prove(o, changed(o, mfatest.Email, newMail)) },
		"after a removal": func(h addressFixture, o mfa.Owner) {
			mfatest.Want(h.T, "remove", h.Accounts.RemoveAddress(context.Background(), h.Caller, o, idOf(o.Account, mfatest.Email)), "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, h addressFixture) {
				ctx := context.Background()
				u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Phone: number, PhoneVerified: true, Password: mfatest.Password})
				o := h.Session(u.ID, "password")
				e, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Address: mfatest.Email})
				mfatest.Want(t, "enrol", err, "")
				code, _ := h.SentCode(mfatest.Email)
				_, err = h.Verifier.Confirm(ctx, h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
				mfatest.Want(t, "confirm", err, "")
				h.Advance(time.Minute)
				attack(h, h.Session(u.ID, "password", "email"))
				mfatest.Want(t, "undo", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, h.undo(mfatest.Email)), "")
				h.is(u.ID, map[string]bool{"ada": true, mfatest.Email: true, number: true})
				a := h.account(u.ID)
				var at []string
				for _, x := range a.Authenticators {
					if x.Method == "email" {
						at = append(at, h.Verifier.AddressOf(x))
					}
				}
				if len(at) != 1 || at[0] != mfatest.Email || !a.User.MFAEnabled {
					t.Errorf("codes go to %v, MFA %v", at, a.User.MFAEnabled)
				}
			})
		})
	}
}

func TestAnUndoTakesNoProvenAddressAway(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		id := h.adaWithMail()
		o := h.Session(id, "password")
		h.prove(o, changed(o, mfatest.Email, newMail))
		bob := h.Create(users.Draft{Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password})
		mfatest.Want(t, "undo", h.Accounts.UndoAddresses(context.Background(), mfa.Caller{}, h.undo(mfatest.Email)), mfa.IdentifierTaken)
		h.is(bob.ID, map[string]bool{mfatest.Email: true})
		h.is(id, map[string]bool{"ada": true, newMail: true})
	})
}

func TestAnAccountWithANumberOnlyIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		id := h.Create(users.Draft{Username: "ada", Phone: number, PhoneVerified: true, Password: mfatest.Password}).ID
		o := h.Session(id, "password")
		h.prove(o, selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
		link := h.undo(number)
		u, err := h.Accounts.FindUndo(context.Background(), link)
		mfatest.Want(t, "find", err, "")
		if len(u.Kept) != 1 || u.Kept[0] != number || len(u.Restored) != 0 {
			t.Errorf("it undoes %+v", u)
		}
		mfatest.Want(t, "undo", h.Accounts.UndoAddresses(context.Background(), mfa.Caller{}, link), "")
		h.is(id, map[string]bool{"ada": true, number: true})
	})
}
