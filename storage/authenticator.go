package storage

import (
	"context"
	"encoding/json"
	"time"
)

// AuthenticatorState is the state of an authenticator.
type AuthenticatorState string

// The states of an authenticator.
const (
	AuthenticatorPending  AuthenticatorState = "pending" // enrolment not confirmed
	AuthenticatorActive   AuthenticatorState = "active"
	AuthenticatorDisabled AuthenticatorState = "disabled" // too many failures; an administrator can enable it
)

// Authenticator is an authenticator of a user (NIST SP 800-63B section 3): a password, a
// TOTP device, a set of recovery codes, a passkey.
type Authenticator struct {
	ID     AuthenticatorID
	UserID UserID
	Method string // name of its mfa.Method: "password", "totp", "recovery"
	Name   string // chosen by the user
	Origin string // surface that created it: "login", "account", "reset", "admin", "import", or a dialect
	State  AuthenticatorState
	Secret []byte          // sealed: password hash, TOTP secret, credential record; nil: none
	Data   json.RawMessage // public parameters of the method
	// Credential names the authenticator among those of all users, as the hash of a passkey's
	// credential ID does; nil: nothing does. It is written and never read.
	Credential []byte
	// Counter only grows, except by LowerCounter: last accepted TOTP step, signature counter, number of recovery
	// codes used, number of password changes.
	Counter    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // of a pending enrolment; zero: active
	// Failing are the buckets in which the user failed since a success there; set by the engine
	// on reading.
	Failing []string
	// Broken: the stored secret does not open in this row, because it was changed or
	// moved here. It proves nothing and is refused as a wrong code. Set by the engine on
	// reading, which logs it.
	Broken bool
}

// Enrollment starts an enrolment: the pending authenticator and the Status that confirms
// it. It replaces pending authenticators of the same user, method and origin.
type Enrollment struct {
	Authenticator Authenticator
	Status        Status
	Sends         []Throttle // as in NewStatus
	Toll          *Toll
	// Sole: ErrConflict if the user has a confirmed authenticator of the same method and
	// origin.
	Sole     bool
	Events   []Event
	Messages []Message
}

// RecoverySet replaces all recovery codes of a user.
type RecoverySet struct {
	Authenticator Authenticator // method "recovery"; replaces the user's earlier one
	Codes         []string      // canonical; sealed, looked up by keyed hash
}

// Removal removes an authenticator.
type Removal struct {
	UserID        UserID
	Authenticator AuthenticatorID
	EndSessions   SessionID // "": end none; else end all sessions and grants of the user except of this session
	// Lasting are the methods of second factors other than recovery codes. If the user
	// keeps none of them, recovery codes and MFAEnabled are removed too. nil: keep both.
	Lasting []string
	// Ways are the methods that users sign in with, if the authenticator is of one. ErrConflict:
	// the user would keep no active authenticator of any, except for those that are Unusable.
	Ways     []string
	Unusable []AuthenticatorID // they sign nobody in as the server is set up now
	Now      time.Time
	Events   []Event
	Messages []Message
}

// Authenticators stores authenticators. Steps.Spend spends proofs.
type Authenticators interface {
	// Enroll stores a pending authenticator with its Status. A counter of Sends that refuses
	// is a *RefusedError.
	Enroll(ctx context.Context, e Enrollment) error
	// PutAuthenticator adds an authenticator or replaces one of the same ID.
	PutAuthenticator(ctx context.Context, a Authenticator, events []Event, messages []Message) error
	// RenameAuthenticator changes the name only.
	RenameAuthenticator(ctx context.Context, user UserID, id AuthenticatorID, name string, now time.Time, events []Event) error
	// SetAuthenticatorState enables or disables an authenticator.
	SetAuthenticatorState(ctx context.Context, user UserID, id AuthenticatorID, state AuthenticatorState, now time.Time, events []Event, messages []Message) error
	// LowerCounter sets a counter that a wrong clock raised. ErrConflict if it is not from
	// any more, or to is not lower.
	LowerCounter(ctx context.Context, user UserID, id AuthenticatorID, from, to int64, now time.Time, events []Event) error
	// DeleteAuthenticator removes an authenticator, its codes and statuses, and cancels
	// initiated and verified statuses of its method that name no authenticator, since
	// this one may have verified them.
	DeleteAuthenticator(ctx context.Context, r Removal) error
	// ReplaceRecoveryCodes removes the user's codes and stores new ones.
	ReplaceRecoveryCodes(ctx context.Context, set RecoverySet, now time.Time, events []Event, messages []Message) error
	// RecoveryCodes returns the user's unused codes in order.
	RecoveryCodes(ctx context.Context, user UserID) ([]string, error)
}
