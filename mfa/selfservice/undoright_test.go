package selfservice_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// notices counts the messages to an address by template; links are those with a link.
func (h addressFixture) notices(address, template string) (all, links int) {
	h.T.Helper()
	for _, m := range h.Messages() {
		if m.Recipient != address || m.Template != template {
			continue
		}
		all++
		if m.Data["undo"] != "" {
			links++
		}
	}
	return all, links
}

func (h addressFixture) wantNotices(address, template string, all, links int) {
	h.T.Helper()
	if a, l := h.notices(address, template); a != all || l != links {
		h.T.Errorf("%s got %d messages %s, %d with a link, want %d and %d", address, a, template, l, all, links)
	}
}

func (h addressFixture) remove(id storage.UserID, address string) {
	h.T.Helper()
	o := h.Session(id, "password")
	mfatest.Want(h.T, "remove "+address, h.Accounts.RemoveAddress(context.Background(), h.Caller, o, idOf(o.Account, address)), "")
}

func TestAnAddressAddedByAThiefGetsNoLink(t *testing.T) {
	for name, end := range map[string]struct {
		do       func(h addressFixture, id storage.UserID)
		template string
	}{
		"removed": {func(h addressFixture, id storage.UserID) { h.remove(id, newMail) }, notice.AddressRemoved},
		"changed": {func(h addressFixture, id storage.UserID) {
			o := h.Session(id, "password")
			h.prove(o, changed(o, newMail, "ada@third.example"))
		}, notice.AddressChanged},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, h addressFixture) {
				id := h.adaWithMail()
				h.Advance(time.Hour)
				h.prove(h.Session(id, "password"), selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
				end.do(h, id)
				h.wantNotices(newMail, end.template, 1, 0)
				h.wantNotices(mfatest.Email, end.template, 1, 1)
			})
		})
	}
}

func TestAnAddressProvenLongAgoGetsTheLink(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		id := h.adaWithMail()
		h.Advance(time.Hour)
		h.prove(h.Session(id, "password"), selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
		h.Advance(7 * 24 * time.Hour)
		h.remove(id, newMail)
		h.wantNotices(newMail, notice.AddressRemoved, 1, 1)
		h.wantNotices(mfatest.Email, notice.AddressRemoved, 1, 0)
	})
}

func TestEveryProvenAddressIsNotifiedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		id := h.adaWithMail()
		h.Advance(time.Hour)
		h.prove(h.Session(id, "password"), selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
		h.wantNotices(mfatest.Email, notice.AddressAdded, 1, 1)
		h.prove(h.Session(id, "password"), selfservice.NewAddress{Kind: storage.Phone, Typed: number})
		h.wantNotices(mfatest.Email, notice.AddressAdded, 2, 2)
		h.wantNotices(newMail, notice.AddressAdded, 1, 0)
		h.remove(id, mfatest.Email)
		h.wantNotices(mfatest.Email, notice.AddressRemoved, 1, 1)
		h.wantNotices(newMail, notice.AddressRemoved, 1, 0)
		h.wantNotices(number, notice.AddressRemoved, 0, 0)
		h.remove(id, number)
		h.wantNotices(newMail, notice.AddressRemoved, 2, 1)
		h.wantNotices(number, notice.AddressRemoved, 1, 0)
	})
}

func TestAnUndoRestoresNoFactorAfterAReset(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx := context.Background()
		u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Phone: number, PhoneVerified: true, Password: mfatest.Password})
		o := h.Session(u.ID, "password")
		e, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Address: mfatest.Email})
		mfatest.Want(t, "enrol", err, "")
		code, _ := h.SentCode(mfatest.Email)
		_, err = h.Verifier.Confirm(ctx, h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
		mfatest.Want(t, "confirm", err, "")
		o = h.Session(u.ID, "password", "email")
		h.prove(o, changed(o, mfatest.Email, newMail))
		link, a := h.undo(mfatest.Email), h.account(u.ID)
		demand, _, err := enrollcode.New(h.Keyring, rand.Reader).Demand(&a, time.Hour, h.Now())
		mfatest.Want(t, "demand", err, "")
		mfatest.Want(t, "reset", h.Store.UpdateUser(ctx, storage.UserChange{ID: u.ID, Now: a.User.Next(h.Now()),
			Factors: &storage.FactorsChange{Drop: []string{"email"}, Add: []storage.Authenticator{demand}}}), "")
		mfatest.Want(t, "undo", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, link), "")
		h.is(u.ID, map[string]bool{"ada": true, mfatest.Email: true, number: true})
		for _, x := range h.account(u.ID).Authenticators {
			if x.Method == "email" {
				t.Error("the undo restored a second factor")
			}
		}
	})
}

func TestAnUndoEndsWithWhatAnAdministratorDecides(t *testing.T) {
	ctx := context.Background()
	for name, decide := range map[string]func(h addressFixture, a storage.Account) error{
		"a password": func(h addressFixture, a storage.Account) error {
			return h.Users.SetPassword(ctx, mfa.Caller{}, a, "a lantern in the fog")
		},
		"a reset of factors": func(h addressFixture, a storage.Account) error {
			_, err := h.Users.ResetFactors(ctx, mfa.Caller{}, a)
			return err
		},
		"disabled for a while": func(h addressFixture, a storage.Account) error {
			return errors.Join(h.Users.Disable(ctx, mfa.Caller{}, a), h.Users.Enable(ctx, mfa.Caller{}, a))
		},
		"a removed address": func(h addressFixture, a storage.Account) error {
			return h.Users.RemoveIdentifier(ctx, mfa.Caller{}, a, a.Identifiers[0].ID)
		},
		"an amended address": func(h addressFixture, a storage.Account) error {
			m, err := h.Users.Amendment(ctx, a, users.Draft{Email: "ada@third.example", EmailVerified: true}, users.AmendOptions{})
			return errors.Join(err, h.Users.Amend(ctx, mfa.Caller{}, m))
		},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, h addressFixture) {
				id := h.adaWithMail()
				o := h.Session(id, "password")
				h.prove(o, changed(o, mfatest.Email, newMail))
				mfatest.Want(t, name, decide(h, h.account(id)), "")
				mfatest.Want(t, "undo", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, h.undo(mfatest.Email)), mfa.RequestOver)
			})
		})
	}
}

func TestAnUndoOfADisabledUserIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		id := h.adaWithMail()
		o := h.Session(id, "password")
		h.prove(o, changed(o, mfatest.Email, newMail))
		h.SetStatus(id, storage.UserDisabled)
		mfatest.Want(t, "undo", h.Accounts.UndoAddresses(context.Background(), mfa.Caller{}, h.undo(mfatest.Email)), mfa.RequestOver)
		h.is(id, map[string]bool{"ada": true, newMail: true})
	})
}

// One address that is taken meanwhile does not keep the others from their owner.
func TestAnUndoLeavesOutWhatAnotherAccountHasProven(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx, id := context.Background(), h.adaWithMail()
		const added = "eve@two.example"
		h.Advance(time.Hour)
		h.prove(h.Session(id, "password"), selfservice.NewAddress{Kind: storage.Email, Typed: added})
		o := h.Session(id, "password")
		h.prove(o, changed(o, mfatest.Email, newMail))
		h.remove(id, added)
		eve := h.Create(users.Draft{Email: added, EmailVerified: true, Password: mfatest.Password})
		var link string
		for _, m := range h.Messages() {
			if m.Recipient == mfatest.Email && m.Template == notice.AddressChanged {
				link = m.Data["undo"]
			}
		}
		u, err := h.Accounts.FindUndo(ctx, link)
		mfatest.Want(t, "find", err, "")
		if !slices.Equal(u.Taken, []string{added}) || !slices.Equal(u.Restored, []string{mfatest.Email}) || !slices.Equal(u.Removed, []string{newMail}) {
			t.Errorf("it undoes %+v", u)
		}
		mfatest.Want(t, "undo", h.Accounts.UndoAddresses(ctx, mfa.Caller{}, link), "")
		h.is(id, map[string]bool{"ada": true, mfatest.Email: true})
		h.is(eve.ID, map[string]bool{added: true})
	})
}

func TestAnUndoNotifiesTheAddressesBeforeAndAfter(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		id := h.adaWithMail()
		o := h.Session(id, "password")
		h.prove(o, changed(o, mfatest.Email, newMail))
		mfatest.Want(t, "undo", h.Accounts.UndoAddresses(context.Background(), mfa.Caller{}, h.undo(mfatest.Email)), "")
		h.wantNotices(mfatest.Email, notice.AddressesRestored, 1, 0)
		h.wantNotices(newMail, notice.AddressesRestored, 1, 0)
	})
}
