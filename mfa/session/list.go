package session

import (
	"context"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// List returns an owner's active sessions, newest first.
func (s *Registry) List(ctx context.Context, o mfa.Owner) ([]storage.Session, error) {
	return s.ListOf(ctx, o.Account.User.ID)
}

// EndOne ends a session of an owner. It returns NotSignedIn for any other session.
func (s *Registry) EndOne(ctx context.Context, v mfa.Caller, o mfa.Owner, id storage.SessionID) error {
	list, err := s.List(ctx, o)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(x storage.Session) bool { return x.ID == id }) {
		return &mfa.Error{Code: mfa.NotSignedIn}
	}
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: o.Account.User.ID, SessionID: id, ClientID: o.Client})
	return mfa.Wrap("end session", s.store.EndSession(ctx, id, false, e.At, []storage.Event{e}))
}

// EndOthers ends all sessions of an owner but the current one, and all grants but those of the
// current one, including offline access.
func (s *Registry) EndOthers(ctx context.Context, v mfa.Caller, o mfa.Owner) error {
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: o.Account.User.ID, SessionID: o.Session, ClientID: o.Client,
		Detail: map[string]string{"reason": "all other sessions"}})
	return mfa.Wrap("end other sessions", s.store.EndSessions(ctx, o.Account.User.ID, o.Session, true, e.At, []storage.Event{e}))
}

// ListOf returns the active sessions of a user, newest first.
func (s *Registry) ListOf(ctx context.Context, user storage.UserID) ([]storage.Session, error) {
	list, err := s.store.SessionsOf(ctx, user, s.now())
	return list, mfa.Wrap("list sessions", err)
}

// EndByID ends a session and, with offline, all its offline grants, and returns the session. It
// returns NotSignedIn if there is no such session.
func (s *Registry) EndByID(ctx context.Context, v mfa.Caller, id storage.SessionID, offline bool) (storage.Session, error) {
	x, _, err := s.store.Session(ctx, id, s.now())
	if err != nil {
		return x, mfa.Refuse("read session", err, storage.ErrNotFound, mfa.NotSignedIn)
	}
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: x.UserID, SessionID: id})
	return x, mfa.Wrap("end session", s.store.EndSession(ctx, id, offline, e.At, []storage.Event{e}))
}

// EndAll ends all sessions of a user.
func (s *Registry) EndAll(ctx context.Context, v mfa.Caller, user storage.UserID) error {
	e := s.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: user, Detail: map[string]string{"reason": "all sessions"}})
	return mfa.Wrap("end sessions", s.store.EndSessions(ctx, user, "", false, e.At, []storage.Event{e}))
}
