package exchange

import (
	"context"
	"errors"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// CountUsername counts a user's try at another user name, before the user learns whether somebody
// has it. TooMany: there were too many in a day.
func (v *Verifier) CountUsername(ctx context.Context, user storage.UserID) error {
	now, counter := v.now(), storage.ThrottleKey{Bucket: throttle.Username, Subject: v.keyring.Hash("user", string(user))}
	r, err := v.store.CountAttempt(ctx, storage.Attempt{Now: now,
		Throttles: []storage.Throttle{{Key: counter, Schedule: throttle.Schedule(counter.Bucket)}}})
	if errors.Is(err, storage.ErrConflict) {
		if v.o.Throttled != nil {
			v.o.Throttled("", r.Bucket)
		}
		return refusalError(r, now)
	}
	return mfa.Wrap("count user name", err)
}
