package mfa

import (
	"context"
	"errors"
	"fmt"

	"sallyport/storage"
)

// ListOf returns the living sessions of a user, newest first, for an administrator.
func (s *Sessions) ListOf(ctx context.Context, user storage.UserID) ([]storage.Session, error) {
	list, err := s.store.SessionsOf(ctx, user, s.now())
	return list, wrapped("list sessions", err)
}

// EndByID ends a session for an administrator and returns it; offline ends the grants
// that would outlive it too. NotSignedIn: there is no such session, or none that lives.
func (s *Sessions) EndByID(ctx context.Context, v Visit, id storage.SessionID, offline bool) (storage.Session, error) {
	x, _, err := s.store.Session(ctx, id, s.now())
	if errors.Is(err, storage.ErrNotFound) {
		return x, &Error{Code: NotSignedIn}
	}
	if err != nil {
		return x, fmt.Errorf("read session: %w", err)
	}
	e := s.journal.Event(v, storage.Event{Kind: EventLogout, UserID: x.UserID, SessionID: id})
	return x, wrapped("end session", s.store.EndSession(ctx, id, offline, e.At, []storage.Event{e}))
}

// EndAll ends every session of a user for an administrator.
func (s *Sessions) EndAll(ctx context.Context, v Visit, user storage.UserID) error {
	e := s.journal.Event(v, storage.Event{Kind: EventLogout, UserID: user, Detail: map[string]string{"reason": "all sessions"}})
	return wrapped("end sessions", s.store.EndSessions(ctx, user, "", false, e.At, []storage.Event{e}))
}

// SignOut ends every session of a user and everything they led to: logins under way
// and all grants, those with offline access included.
func (u *Users) SignOut(ctx context.Context, v Visit, a storage.Account) error {
	e := u.journal.Event(v, storage.Event{Kind: EventLogout, UserID: a.User.ID, Detail: map[string]string{"reason": "all sessions and grants"}})
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Kill: true, Events: []storage.Event{e}})
}
