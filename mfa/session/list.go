package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// List returns an owner's living sessions, newest first.
func (s *Registry) List(ctx context.Context, o mfa.Owner) ([]storage.Session, error) {
	list, err := s.store.SessionsOf(ctx, o.Account.User.ID, s.now())
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// EndOne ends one session of an owner. Somebody else's is refused like one that does
// not exist: NotSignedIn.
func (s *Registry) EndOne(ctx context.Context, v mfa.Caller, o mfa.Owner, id storage.SessionID) error {
	list, err := s.List(ctx, o)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(x storage.Session) bool { return x.ID == id }) {
		return &mfa.Error{Code: mfa.NotSignedIn}
	}
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: o.Account.User.ID, SessionID: id, ClientID: o.Client})
	if err := s.store.EndSession(ctx, id, false, e.At, []storage.Event{e}); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// EndOthers ends all sessions of an owner but the one they speak from, and every grant
// but those of this one, whether or not it has offline access.
func (s *Registry) EndOthers(ctx context.Context, v mfa.Caller, o mfa.Owner) error {
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: o.Account.User.ID, SessionID: o.Session, ClientID: o.Client,
		Detail: map[string]string{"reason": "all other sessions"}})
	if err := s.store.EndSessions(ctx, o.Account.User.ID, o.Session, true, e.At, []storage.Event{e}); err != nil {
		return fmt.Errorf("end other sessions: %w", err)
	}
	return nil
}

// ListOf returns the living sessions of a user, newest first, for an administrator.
func (s *Registry) ListOf(ctx context.Context, user storage.UserID) ([]storage.Session, error) {
	list, err := s.store.SessionsOf(ctx, user, s.now())
	return list, mfa.Wrap("list sessions", err)
}

// EndByID ends a session for an administrator and returns it; offline ends the grants
// that would outlive it too. NotSignedIn: there is no such session, or none that lives.
func (s *Registry) EndByID(ctx context.Context, v mfa.Caller, id storage.SessionID, offline bool) (storage.Session, error) {
	x, _, err := s.store.Session(ctx, id, s.now())
	if errors.Is(err, storage.ErrNotFound) {
		return x, &mfa.Error{Code: mfa.NotSignedIn}
	}
	if err != nil {
		return x, fmt.Errorf("read session: %w", err)
	}
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: x.UserID, SessionID: id})
	return x, mfa.Wrap("end session", s.store.EndSession(ctx, id, offline, e.At, []storage.Event{e}))
}

// EndAll ends every session of a user for an administrator.
func (s *Registry) EndAll(ctx context.Context, v mfa.Caller, user storage.UserID) error {
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: user, Detail: map[string]string{"reason": "all sessions"}})
	return mfa.Wrap("end sessions", s.store.EndSessions(ctx, user, "", false, e.At, []storage.Event{e}))
}
