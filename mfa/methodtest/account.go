package methodtest

import (
	"context"
	"crypto/rand"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

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

var At = time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC)

// counted is what the engine does with a growing counter.
func Counted(a *storage.Account) func(mfa.Proof) error {
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

// paper is a set of recovery codes for each user.
type Codes map[storage.UserID][]string

func (p Codes) RecoveryCodes(_ context.Context, user storage.UserID) ([]string, error) {
	return p[user], nil
}
