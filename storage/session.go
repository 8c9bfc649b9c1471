package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Session is a signed-in user: which proofs were given, until when they hold.
type Session struct {
	ID      SessionID // sid
	UserID  UserID
	Origin  string // "browser" or a dialect
	Factors []Factor
	// Generation is part of the session's token; raising it makes older tokens
	// worthless (a browser session does so whenever its level rises).
	Generation int64
	Address    string
	UserAgent  string
	Attributes json.RawMessage // a dialect's custom claims
	CreatedAt  time.Time
	LastSeenAt time.Time
	IdleUntil  time.Time // zero: no idle limit
	ExpiresAt  time.Time
	EndedAt    time.Time // zero: not ended. Ended is not expired: expiry ends single sign-on only
}

// Sessions keeps who is signed in.
type Sessions interface {
	// Session returns a session that is neither ended nor expired, with its account. One statement.
	Session(ctx context.Context, id SessionID, now time.Time) (Session, Account, error)
	// CreateSession adds a session outside an authorization request.
	CreateSession(ctx context.Context, s Session, events []Event) error
	// UpdateSession replaces factors, attributes, generation and expiry of a living
	// session whose generation is the given one. LastSeenAt is the moment of the change.
	UpdateSession(ctx context.Context, s Session, generation int64, events []Event) error
	// SessionsOf returns a user's living sessions, newest first.
	SessionsOf(ctx context.Context, user UserID, now time.Time) ([]Session, error)
	// EndSession ends a session and, if offline is set, its offline grants too, those
	// of a code redeemed at the same moment included. Ending an ended session is no
	// error. Grants without offline access die with their session.
	EndSession(ctx context.Context, id SessionID, offline bool, now time.Time, events []Event) error
	// EndLogins cancels the open requests somebody has proven a factor in that are bound
	// to a browser, or to a login of its own that may end in that browser alone; browser
	// are the keyed hashes of its cookie. With a user it cancels that user's alone.
	EndLogins(ctx context.Context, browser [][]byte, user UserID, now time.Time) error
	// EndSessions ends all sessions of a user but one with their codes and grants. If
	// offline is set, every grant that is not of the session kept ends, whatever became
	// of its own session. In the same transaction ends what the user has under way: open
	// requests that did not begin with that session, and initiated and verified statuses
	// that do not belong to such a request. A login that somebody parked half done must
	// not outlive the sessions.
	EndSessions(ctx context.Context, user UserID, but SessionID, offline bool, now time.Time, events []Event) error
	// TouchSessions moves LastSeenAt and IdleUntil forward, in whole seconds. Written
	// behind, in batches.
	TouchSessions(ctx context.Context, seen map[SessionID]time.Time, idle time.Duration) error
}
