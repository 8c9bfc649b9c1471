package exchange

import (
	"context"

	"sallyport/mfa"
	"sallyport/storage"
)

// Cancel ends a try before it is redeemed; later responses get InvalidExchange. It uses the
// Exchange, Method and Authorize of the answer. The pending authenticator of an enrolment is
// deleted when it expires.
func (v *Verifier) Cancel(ctx context.Context, caller mfa.Caller, a Answer) (storage.StatusID, error) {
	invalid := &mfa.Error{Code: mfa.InvalidExchange}
	if _, ok := storage.Bytes(a.Exchange); !ok {
		return "", invalid
	}
	now := v.now()
	s, _, err := v.store.StatusByExchange(ctx, a.Exchange, now)
	if err != nil {
		return "", mfa.Refuse("read status", err, storage.ErrNotFound, mfa.InvalidExchange)
	}
	if s.Method != a.Method || !v.sameBrowser(caller, s) {
		return "", invalid
	}
	if err := a.authorize(s); err != nil {
		return "", err
	}
	about := storage.Event{UserID: s.UserID, ClientID: s.ClientID, Detail: map[string]string{"method": s.Method, "usage": s.Usage}}
	err = v.store.CancelStatus(ctx, a.Exchange, now, []storage.Event{v.event(caller, about, mfa.EventMFACancelled, mfa.OutcomeOK, "")})
	return s.ID, mfa.Refuse("cancel status", err, storage.ErrConflict, mfa.InvalidExchange)
}

// Progress returns a status of a user, for callers that poll its state. It returns
// InvalidExchange for an unknown one and one of another user.
func (v *Verifier) Progress(ctx context.Context, user storage.UserID, id storage.StatusID) (storage.Status, error) {
	invalid := &mfa.Error{Code: mfa.InvalidExchange}
	if _, ok := storage.Bytes(id); !ok {
		return storage.Status{}, invalid
	}
	s, err := v.store.Status(ctx, id, v.now())
	if err == nil && (user == "" || s.UserID != user) {
		return storage.Status{}, invalid
	}
	return s, mfa.Refuse("read status", err, storage.ErrNotFound, mfa.InvalidExchange)
}
