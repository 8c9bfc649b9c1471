package users

import (
	"context"
	"errors"

	"sallyport/mfa"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

// ResetCounters sets the counters of a user's authenticators that a wrong clock left ahead to
// the present step, and returns how many. Codes accepted up to now stay used.
func (u *Registry) ResetCounters(ctx context.Context, v mfa.Caller, a storage.Account) (int, error) {
	n, now := 0, u.now()
	for _, x := range a.Authenticators {
		if totp.AheadUntil(x, now).IsZero() {
			continue
		}
		e := u.changeEvent(v, a, "counter reset")
		e.Detail["method"], e.Detail["authenticator"] = x.Method, string(x.ID)
		err := u.store.LowerCounter(ctx, a.User.ID, x.ID, x.Counter, totp.PresentStep(x, now), now, []storage.Event{e})
		if errors.Is(err, storage.ErrConflict) {
			continue // another call has reset it, or it was deleted
		}
		if err != nil {
			return n, mfa.Wrap("reset counter", err)
		}
		n++
	}
	return n, nil
}
