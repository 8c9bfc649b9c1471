package mfa

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sallyport/storage"
)

// List returns an owner's living sessions, newest first.
func (s *Sessions) List(ctx context.Context, o Owner) ([]storage.Session, error) {
	list, err := s.store.SessionsOf(ctx, o.Account.User.ID, s.now())
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// EndOne ends one session of an owner. Somebody else's is refused like one that does
// not exist: NotSignedIn.
func (s *Sessions) EndOne(ctx context.Context, v Visit, o Owner, id storage.SessionID) error {
	list, err := s.List(ctx, o)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(x storage.Session) bool { return x.ID == id }) {
		return &Error{Code: NotSignedIn}
	}
	e := s.journal.Event(v, storage.Event{Kind: EventLogout, UserID: o.Account.User.ID, SessionID: id, ClientID: o.Client})
	if err := s.store.EndSession(ctx, id, false, e.At, []storage.Event{e}); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// EndOthers ends all sessions of an owner but the one they speak from, and every grant
// but those of this one, whether or not it has offline access.
func (s *Sessions) EndOthers(ctx context.Context, v Visit, o Owner) error {
	e := s.journal.Event(v, storage.Event{Kind: EventLogout, UserID: o.Account.User.ID, SessionID: o.Session, ClientID: o.Client,
		Detail: map[string]string{"reason": "all other sessions"}})
	if err := s.store.EndSessions(ctx, o.Account.User.ID, o.Session, true, e.At, []storage.Event{e}); err != nil {
		return fmt.Errorf("end other sessions: %w", err)
	}
	return nil
}

// ListOf returns the living sessions of a user, newest first, for an administrator.
func (s *Sessions) ListOf(ctx context.Context, user storage.UserID) ([]storage.Session, error) {
	list, err := s.store.SessionsOf(ctx, user, s.now())
	return list, Wrap("list sessions", err)
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
	return x, Wrap("end session", s.store.EndSession(ctx, id, offline, e.At, []storage.Event{e}))
}

// EndAll ends every session of a user for an administrator.
func (s *Sessions) EndAll(ctx context.Context, v Visit, user storage.UserID) error {
	e := s.journal.Event(v, storage.Event{Kind: EventLogout, UserID: user, Detail: map[string]string{"reason": "all sessions"}})
	return Wrap("end sessions", s.store.EndSessions(ctx, user, "", false, e.At, []storage.Event{e}))
}
