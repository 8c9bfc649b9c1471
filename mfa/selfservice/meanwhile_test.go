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

// begin begins a second factor at an address with an access token, outside every login, and returns
// what confirms it.
func (h addressFixture) begin(o mfa.Owner, address string) func() error {
	h.T.Helper()
	o.Session, o.Origin = "", "dialect"
	e, err := h.EnrollAs(o, exchange.NewFactor{Method: "email", Address: address})
	mfatest.Want(h.T, "begin", err, "")
	code, _ := h.SentCode(address)
	return func() error {
		_, err := h.Verifier.ConfirmAlone(context.Background(), h.Caller, exchange.Answer{Exchange: e.Exchange, Method: "email", Response: mfa.Typed(code)})
		return err
	}
}

// Codes of a factor that outlives its address would go to whoever has the address next.
func TestAFactorConfirmedMeanwhileGoesWithItsAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx := context.Background()
		u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password})
		o := h.prove(h.Session(u.ID, "password"), selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
		mfatest.Want(t, "confirm", h.begin(o, newMail)(), "") // after o was read
		mfatest.Want(t, "remove what was read before", h.Accounts.RemoveAddress(ctx, h.Caller, o, idOf(o.Account, newMail)), mfa.RequestChanged)
		o.Account = h.account(u.ID)
		if len(h.Verifier.FactorsAt(o.Account, newMail)) != 1 || !h.names(u.ID)[newMail] {
			t.Fatal("a refused removal removed something")
		}
	})
}

func TestAConfirmationRacesWithTheRemovalOfItsAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, h addressFixture) {
		ctx := context.Background()
		u := h.Create(users.Draft{Username: "ada", Email: mfatest.Email, EmailVerified: true, Password: mfatest.Password})
		for range 4 {
			h.Advance(2 * time.Hour) // limits of messages
			o := h.prove(h.Session(u.ID, "password"), selfservice.NewAddress{Kind: storage.Email, Typed: newMail})
			h.Advance(2 * time.Hour)
			o = h.Session(u.ID, "password")
			confirm := h.begin(o, newMail)
			o.Account = h.account(u.ID)
			var removed, confirmed error
			var wg sync.WaitGroup
			wg.Go(func() { confirmed = confirm() })
			wg.Go(func() { removed = h.Accounts.RemoveAddress(ctx, h.Caller, o, idOf(o.Account, newMail)) })
			wg.Wait()
			if (removed == nil) == (confirmed == nil) {
				t.Errorf("the removal got %v, the confirmation %v, want one to succeed", removed, confirmed)
			}
			a := h.account(u.ID)
			if held := len(h.Verifier.FactorsAt(a, newMail)) > 0; held != (idOf(a, newMail) != "") {
				t.Errorf("a factor at the address: %v, the address: %v", held, h.names(u.ID))
			}
			if removed != nil {
				at := h.Verifier.FactorsAt(a, newMail)[0]
				mfatest.Want(t, "start over", h.Users.RemoveFactor(ctx, mfa.Caller{}, a, at), "")
				mfatest.Want(t, "start over", h.Users.RemoveIdentifier(ctx, mfa.Caller{}, h.account(u.ID), idOf(a, newMail)), "")
			}
		}
	})
}
