package storage

import (
	"context"
	"encoding/json"
	"time"
)

// AuthenticatorState is where an authenticator is in its life.
type AuthenticatorState string

// The states of an authenticator.
const (
	AuthenticatorPending  AuthenticatorState = "pending" // enrolment begun, no right code yet
	AuthenticatorActive   AuthenticatorState = "active"
	AuthenticatorDisabled AuthenticatorState = "disabled" // too many failures; an administrator switches it on again
)

// Authenticator is something a user proves themselves with (NIST SP 800-63B
// section 3): a password, a TOTP device, a set of recovery codes, a passkey.
type Authenticator struct {
	ID     AuthenticatorID
	UserID UserID
	Method string // name of the mfa.Method it belongs to: "password", "totp", "recovery"
	Name   string // what the user calls it
	Origin string // surface that made it: "login", "account", "admin", "import", or a dialect
	State  AuthenticatorState
	Secret []byte          // sealed: password hash, TOTP secret; nil where there is none
	Data   json.RawMessage // the method's own public parameters
	// Counter only grows: last accepted TOTP step, signature counter. For recovery
	// codes it is the number of codes already used, for a password how often it was changed.
	Counter    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // end of a pending enrolment; zero when active
	// Broken says that the stored secret does not open in this row: it was changed or
	// moved here. It proves nothing and is refused as a wrong code. Filled by the
	// engine on reading, which logs it.
	Broken bool
}

// Enrollment starts an enrolment: the pending authenticator and the Status that
// confirms it. Older pending authenticators of the same user, method and origin go.
type Enrollment struct {
	Authenticator Authenticator
	Status        Status
	Events        []Event
}

// RecoverySet replaces all recovery codes of a user.
type RecoverySet struct {
	Authenticator Authenticator // method "recovery"; replaces the user's earlier one
	Codes         []string      // canonical; sealed, and found by keyed hash
}

// Removal takes an authenticator away.
type Removal struct {
	UserID        UserID
	Authenticator AuthenticatorID
	EndSessions   SessionID // "" keeps all sessions; else all sessions and grants of the user but those of this one end
	// Lasting are methods of second factors that stand for themselves. If the user keeps
	// none of them, recovery codes and the wish for a second factor go too. nil: leave both.
	Lasting  []string
	Now      time.Time
	Events   []Event
	Messages []Message
}

// Authenticators keeps what users enrolled. Proofs are spent by Steps.Spend.
type Authenticators interface {
	// Enroll stores a pending authenticator with its Status.
	Enroll(ctx context.Context, e Enrollment) error
	// PutAuthenticator adds an authenticator or replaces one of the same ID.
	PutAuthenticator(ctx context.Context, a Authenticator, events []Event, messages []Message) error
	// RenameAuthenticator changes the name only.
	RenameAuthenticator(ctx context.Context, user UserID, id AuthenticatorID, name string, now time.Time, events []Event) error
	// SetAuthenticatorState switches an authenticator on or off.
	SetAuthenticatorState(ctx context.Context, user UserID, id AuthenticatorID, state AuthenticatorState, now time.Time, events []Event, messages []Message) error
	// DeleteAuthenticator removes an authenticator, its codes and statuses, and cancels
	// initiated and verified statuses of its method that name no authenticator: they
	// may have been answered with this one.
	DeleteAuthenticator(ctx context.Context, r Removal) error
	// ReplaceRecoveryCodes removes the user's codes and stores new ones.
	ReplaceRecoveryCodes(ctx context.Context, set RecoverySet, now time.Time, events []Event, messages []Message) error
	// RecoveryCodes returns the user's unused codes in their order.
	RecoveryCodes(ctx context.Context, user UserID) ([]string, error)
}
