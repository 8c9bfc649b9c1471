package mfa

import (
	"context"
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
