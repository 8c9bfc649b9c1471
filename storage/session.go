package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Session is a signed-in user with the proofs given.
type Session struct {
	ID      SessionID // sid
	UserID  UserID
	Origin  string // "browser" or a dialect
	Factors []Factor
	// Generation is part of the session's token; incrementing it invalidates older
	// tokens (a browser session does so whenever its level rises).
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

// Sessions stores sessions.
type Sessions interface {
	// Session returns a valid session (neither ended nor expired) with its account. If now is zero, it
	// may have expired. One statement.
	Session(ctx context.Context, id SessionID, now time.Time) (Session, Account, error)
	// CreateSession adds a session outside an authorization request.
	CreateSession(ctx context.Context, s Session, events []Event) error
	// UpdateSession replaces factors, attributes, generation and expiry of a valid
	// session with the given generation. LastSeenAt is the time of the change.
	UpdateSession(ctx context.Context, s Session, generation int64, events []Event) error
	// ExtendSession applies an extension outside a proof.
	ExtendSession(ctx context.Context, x Extension, events []Event) error
	// SessionsOf returns a user's valid sessions, newest first.
	SessionsOf(ctx context.Context, user UserID, now time.Time) ([]Session, error)
	// EndSession ends a session with its grants, and tells its clients (BackchannelLogout); grants
	// with offline access end only if
	// offline or their client's LogoutEndsOffline is set. It includes the grant of a code redeemed at the same moment.
	// Ending an ended session is not an error.
	EndSession(ctx context.Context, id SessionID, offline bool, now time.Time, events []Event) error
	// EndLogins cancels the open requests with a proven factor that are bound to a
	// browser, and the detached logins that may end only in it; browser has the keyed
	// hashes of its cookie. With a user it cancels only that user's.
	EndLogins(ctx context.Context, browser [][]byte, user UserID, now time.Time) error
	// HasLogins reports whether EndLogins, without a user, would cancel a request that has not
	// expired.
	HasLogins(ctx context.Context, browser [][]byte, now time.Time) (bool, error)
	// FrontchannelClients returns the clients with a front-channel logout URI that a session has
	// authorized. One statement.
	FrontchannelClients(ctx context.Context, id SessionID) ([]ClientID, error)
	// EndSessions ends all sessions of a user but one, with their codes and grants, as
	// EndSession does. If offline is set, it ends every grant that is not of the kept session, even if the
	// grant's own session is gone. In the same transaction it ends logins in progress:
	// open requests that did not begin with the kept session, and initiated and verified
	// statuses that do not belong to such a request. An unfinished login must not
	// outlive the sessions.
	EndSessions(ctx context.Context, user UserID, but SessionID, offline bool, now time.Time, events []Event) error
	// TouchSessions advances LastSeenAt and IdleUntil, in whole seconds. Servers call it
	// in the background, in batches.
	TouchSessions(ctx context.Context, seen map[SessionID]time.Time, idle time.Duration) error
}
