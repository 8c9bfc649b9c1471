package mfa

import (
	"context"
	"errors"
	"fmt"

	"sallyport/storage"
)

// Behind returns who speaks by an authorization while the session it was given in
// lives, without having seen the session's own token; nil without an error says that it
// has ended. The proofs are those of the authorization: a session gathers more, for
// other clients, and an old token must not be worth more for that.
func (s *Sessions) Behind(ctx context.Context, a storage.Authorization) (*Owner, error) {
	session, account, err := s.store.Session(ctx, a.SessionID, s.now())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	if session.UserID != a.UserID || !account.User.In() {
		return nil, nil
	}
	return &Owner{Account: account, Factors: a.Factors, Session: session.ID}, nil
}

// Account returns a user who may sign in. NotSignedIn: there is no such user any more.
func (v *Verifier) Account(ctx context.Context, id storage.UserID) (storage.Account, error) {
	a, err := v.store.Account(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !a.User.In() {
		return storage.Account{}, &Error{Code: NotSignedIn}
	}
	if err != nil {
		return storage.Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}
