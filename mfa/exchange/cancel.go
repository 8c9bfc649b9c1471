package exchange

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Cancel ends a try before it is redeemed: a right code that comes later is refused.
// Whoever holds the exchange may do it; an enrolment that is given up leaves its
// pending authenticator to be swept.
// Of the answer its exchange and method are read, and who may give it.
func (v *Verifier) Cancel(ctx context.Context, caller mfa.Caller, a Answer) (storage.StatusID, error) {
	invalid := &mfa.Error{Code: mfa.InvalidExchange}
	if _, ok := storage.Bytes(a.Exchange); !ok {
		return "", invalid
	}
	now := v.now()
	s, _, err := v.store.StatusByExchange(ctx, a.Exchange, now)
	if errors.Is(err, storage.ErrNotFound) {
		return "", invalid
	}
	if err != nil {
		return "", fmt.Errorf("read status: %w", err)
	}
	if s.Method != a.Method || !v.sameBrowser(caller, s) {
		return "", invalid
	}
	if err := a.authorized(s); err != nil {
		return "", err
	}
	about := storage.Event{UserID: s.UserID, ClientID: s.ClientID, Detail: map[string]string{"method": s.Method, "usage": s.Usage}}
	err = v.store.CancelStatus(ctx, a.Exchange, now, []storage.Event{v.event(caller, about, mfa.EventMFACancelled, mfa.OutcomeOK, "")})
	if errors.Is(err, storage.ErrConflict) {
		return "", invalid
	}
	if err != nil {
		return "", fmt.Errorf("cancel status: %w", err)
	}
	return s.ID, nil
}

// Progress returns a Status of a user's own, for those who wait for it to move on.
func (v *Verifier) Progress(ctx context.Context, user storage.UserID, id storage.StatusID) (storage.Status, error) {
	invalid := &mfa.Error{Code: mfa.InvalidExchange}
	if _, ok := storage.Bytes(id); !ok {
		return storage.Status{}, invalid
	}
	s, err := v.store.Status(ctx, id, v.now())
	if errors.Is(err, storage.ErrNotFound) || err == nil && (user == "" || s.UserID != user) {
		return storage.Status{}, invalid
	}
	if err != nil {
		return storage.Status{}, fmt.Errorf("read status: %w", err)
	}
	return s, nil
}
