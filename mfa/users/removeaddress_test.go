package users_test

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/notice"
	"sallyport/mfa/passcode"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/storagetest"
)

// withMailFactor returns a user whose only second factor is codes by mail.
func withMailFactor(t *testing.T, dsn string) (*mfatest.Fixture, storage.UserID) {
	h := mfatest.NewAt(t, dsn)
	h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1}, passcode.NewEmail(h.Keyring, rand.Reader, passcode.Options{Product: "Sallyport"}))
	u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password})
	o := h.Session(u.ID, "password")
	e, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Name: "Mail", Address: mfatest.Email})
	mfatest.Want(t, "enrol", err, "")
	code, _ := h.SentCode(mfatest.Email)
	_, err = h.Verifier.Confirm(t.Context(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
	mfatest.Want(t, "confirm", err, "")
	h.Advance(time.Minute)
	return h, u.ID
}

func addressID(a storage.Account) storage.IdentifierID {
	for _, i := range a.Identifiers {
		if i.Kind == storage.Email {
			return i.ID
		}
	}
	return ""
}

// Whoever gets an address next, such as a colleague or the next customer of a provider, must not get
// the codes of the user that it was taken from.
func TestAnAdministratorsRemovalOfAnAddressRemovesTheFactorsThere(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": func(testing.TB) string { return "" }, "PostgreSQL": storagetest.Postgres} {
		for what, remove := range map[string]func(h *mfatest.Fixture, a storage.Account) error{
			"a removal": func(h *mfatest.Fixture, a storage.Account) error {
				return h.Users.RemoveIdentifier(context.Background(), h.Caller, a, addressID(a))
			},
			"a call of a backend": func(h *mfatest.Fixture, a storage.Account) error {
				_, err := h.Backend.DeleteIdentifier(context.Background(), h.Caller, storage.Email, addressID(a))
				return err
			},
			"an amendment": func(h *mfatest.Fixture, a storage.Account) error {
				c, err := h.Users.Amendment(context.Background(), a, users.Draft{Email: mfatest.OtherEmail, EmailVerified: true}, users.AmendOptions{})
				if err != nil {
					return err
				}
				if !slices.ContainsFunc(c.Differences, func(d users.Difference) bool {
					return d.Key == "factors.email" && d.From == mfatest.Email && d.To == nil
				}) {
					h.T.Errorf("differences = %+v, want the factor among them", c.Differences)
				}
				return h.Users.Amend(context.Background(), h.Caller, c)
			},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				h, id := withMailFactor(t, dsn(t))
				a, err := h.Users.Account(t.Context(), id)
				mfatest.Want(t, "read", err, "")
				mfatest.Want(t, what, remove(h, a), "")
				a, err = h.Users.Account(t.Context(), id)
				mfatest.Want(t, "read again", err, "")
				if len(a.Authenticators) != 1 || a.User.MFAEnabled {
					t.Errorf("authenticators = %+v, second factor demanded: %t; want the password and no demand", a.Authenticators, a.User.MFAEnabled)
				}
				mfatest.Want(t, "flush", h.Journal.Flush(t.Context()), "")
				events, err := h.Store.ListEvents(t.Context(), storage.EventFilter{Kind: mfa.EventFactorDeleted, Limit: 10})
				mfatest.Want(t, "events", err, "")
				if len(events) != 1 || events[0].Detail["reason"] != "address removed" || events[0].Detail["method"] != "email" {
					t.Errorf("events = %+v", events)
				}
				if got := h.Sent(notice.FactorRemoved); len(got) != 1 || got[0].Recipient != mfatest.Email {
					t.Errorf("messages = %+v, want one to the address", got)
				}
			})
		}
	}
}

// What a file describes as demanded stays demanded, or the next run would change it again.
func TestAnAmendmentKeepsTheDemandThatItDescribes(t *testing.T) {
	h, id := withMailFactor(t, "")
	d, o := users.Draft{Email: mfatest.OtherEmail, MFAEnabled: true}, users.AmendOptions{MFA: true}
	for _, want := range []int{2, 0} {
		a, err := h.Users.Account(t.Context(), id)
		mfatest.Want(t, "read", err, "")
		c, err := h.Users.Amendment(t.Context(), a, d, o)
		mfatest.Want(t, "compare", err, "")
		if len(c.Differences) != want {
			t.Errorf("differences = %+v, want %d", c.Differences, want)
		}
		mfatest.Want(t, "amend", h.Users.Amend(t.Context(), h.Caller, c), "")
	}
}

func TestOfRacingRemovalsOneFindsTheAddress(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": func(testing.TB) string { return "" }, "PostgreSQL": storagetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			h, id := withMailFactor(t, dsn(t))
			a, err := h.Users.Account(t.Context(), id)
			mfatest.Want(t, "read", err, "")
			var all sync.WaitGroup
			errs := make([]error, 12)
			for n := range errs {
				all.Go(func() { errs[n] = h.Users.RemoveIdentifier(context.Background(), h.Caller, a, addressID(a)) })
			}
			all.Wait()
			won := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return mfa.CodeOf(err) == mfa.IdentifierNotFound })
			if len(won) != 1 || won[0] != nil {
				t.Errorf("got %v, want one success", errs)
			}
		})
	}
}

// What is known of the factors at an address is as old as the user that was read.
func TestAnAmendmentLeavesNoFactorThatCameMeanwhileAtAnAddressItTakesAway(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": func(testing.TB) string { return "" }, "PostgreSQL": storagetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			h := mfatest.NewAt(t, dsn(t))
			h.Open(exchange.Options{Product: "Sallyport", AddressMax: -1}, passcode.NewEmail(h.Keyring, rand.Reader, passcode.Options{Product: "Sallyport"}))
			u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password})
			amendment := func() users.Amendment {
				a, err := h.Users.Account(t.Context(), u.ID)
				mfatest.Want(t, "read", err, "")
				c, err := h.Users.Amendment(t.Context(), a, users.Draft{Email: mfatest.OtherEmail, EmailVerified: true}, users.AmendOptions{})
				mfatest.Want(t, "compare", err, "")
				return c
			}
			stale := amendment()
			h.Advance(time.Minute)
			o := h.Session(u.ID, "password")
			e, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Name: "Mail", Address: mfatest.Email})
			mfatest.Want(t, "enrol", err, "")
			code, _ := h.SentCode(mfatest.Email)
			_, err = h.Verifier.Confirm(t.Context(), h.Caller, exchange.SignedIn(o), e.Exchange, mfa.Typed(code))
			mfatest.Want(t, "confirm", err, "")
			mfatest.Want(t, "amend what was read before", h.Users.Amend(t.Context(), h.Caller, stale), mfa.RequestChanged)
			mfatest.Want(t, "amend what is read now", h.Users.Amend(t.Context(), h.Caller, amendment()), "")
			a, err := h.Users.Account(t.Context(), u.ID)
			mfatest.Want(t, "read again", err, "")
			if len(a.Authenticators) != 1 || !slices.ContainsFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Value == mfatest.OtherEmail }) {
				t.Errorf("account = %+v, want the password and the new address", a)
			}
		})
	}
}
