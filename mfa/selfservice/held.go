package selfservice

import (
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Held is an authenticator as its owner sees it, without its secret.
type Held struct {
	ID         storage.AuthenticatorID
	Name       string
	Address    string // masked, where codes are sent; "": none
	Info       mfa.Info
	Shape      mfa.Shape
	Left       int64 // uses left, if they are limited (recovery codes)
	Disabled   bool  // after too many failures
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
}

// Held returns the authenticators of an account, in the order they were set up.
func (a *Accounts) Held(account storage.Account) []Held {
	var out []Held
	for _, x := range account.Authenticators {
		i, ok := a.verifier.Info(x.Method)
		if !ok || x.State == storage.AuthenticatorPending {
			continue
		}
		out = append(out, Held{ID: x.ID, Name: x.Name, Address: a.verifier.MaskedAddress(x), Info: i, Shape: a.verifier.ShapeOf(x), Left: mfa.UsesLeft(x),
			Disabled: x.State == storage.AuthenticatorDisabled, CreatedAt: x.CreatedAt, LastUsedAt: x.LastUsedAt})
	}
	return out
}
