package methodtest

import (
	"context"
	"crypto/rand"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Account returns an active account with active authenticators.
func Account(id storage.UserID, as ...storage.Authenticator) *storage.Account {
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

// Now is the time of the tests.
var Now = time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC)

// SpendStep returns a Fixture.Spend that compares and sets the counters of an account.
func SpendStep(a *storage.Account) func(mfa.Proof) error {
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

// Codes are the recovery codes of each user. It implements recovery.Store.
type Codes map[storage.UserID][]string

// RecoveryCodes returns the codes of a user.
func (p Codes) RecoveryCodes(_ context.Context, user storage.UserID) ([]string, error) {
	return p[user], nil
}
