package exchange

import (
	"context"
	"errors"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// Suggest returns the method to offer a user who has just typed a password: a first factor that they
// do not have and may enrol now, without an enrollment code. "": none, or they declined it before.
func (v *Verifier) Suggest(p Login) string {
	if p.Account == nil || !p.Account.User.PasskeyDeclinedAt.IsZero() || !v.typedPassword(p) || v.checkFresh(v.InLogin(p), 0) != nil || v.demand(p.Account) != nil {
		return ""
	}
	for _, i := range v.infos {
		held := slices.ContainsFunc(p.Account.Authenticators, func(a storage.Authenticator) bool {
			return a.Method == i.Name && a.State != storage.AuthenticatorPending
		})
		if i.First && i.Enrolls && p.allows(v, i) && !held {
			return i.Name
		}
	}
	return ""
}

// typedPassword reports whether a password was proven in the login itself, and not in the session
// it began with.
func (v *Verifier) typedPassword(p Login) bool {
	return slices.ContainsFunc(p.Request.Factors, func(f storage.Factor) bool {
		i, _ := v.Info(f.Method)
		return i.First && i.Typed && !f.At.Before(p.Request.RequestedAt)
	})
}

// Decline records that the user of a login wants no offer again.
func (v *Verifier) Decline(ctx context.Context, p Login) error {
	err := v.store.DeclinePasskey(ctx, p.Request.Subject, v.now())
	if errors.Is(err, storage.ErrConflict) {
		return nil // in another login
	}
	return mfa.Wrap("decline offer", err)
}
