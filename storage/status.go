package storage

import (
	"context"
	"time"
)

// StatusState is the state of a Status.
type StatusState string

// A Status goes from initiated to verified to redeemed. The other states are final.
const (
	StatusInitiated  StatusState = "initiated"
	StatusVerified   StatusState = "verified"
	StatusRedeemed   StatusState = "redeemed"
	StatusFailed     StatusState = "failed"
	StatusCancelled  StatusState = "cancelled"
	StatusSuperseded StatusState = "superseded"
	// StatusExpired is never stored: a Status past ExpiresAt is expired.
	StatusExpired StatusState = "expired"
)

// KeepStatus is how long a Status is kept after it expired, so that a late response can be told
// from an invented one.
const KeepStatus = time.Hour

// Status is one try at one authenticator, with the exchange for its next step.
type Status struct {
	ID            StatusID
	Exchange      ExchangeID // the current one; known only on creation
	Request       RequestID  // "" outside an authorization request
	ClientID      ClientID
	UserID        UserID          // "": a decoy, which never verifies
	Authenticator AuthenticatorID // "": any of the method
	Method        string
	Usage         string // "mfa", "passwordless", "initial", "enroll"
	Browser       []byte // keyed hash of the binding cookie; nil: none
	State         StatusState
	Attempts      int
	Data          []byte // sealed: state of the method from Begin
	CreatedAt     time.Time
	VerifiedAt    time.Time
	ExpiresAt     time.Time
	// RequestHash identifies the request to a reader that has one; set by the engine
	// on reading.
	RequestHash []byte
}

// NewStatus creates a Status. It counts as an initiation of the request, bounded by
// MaxInitiations. With Supersede, older initiated statuses of the same request and
// method are superseded. Name, if set, is stored as by AuthRequests.RememberName.
type NewStatus struct {
	Status         Status
	MaxInitiations int
	Supersede      bool
	Name           []byte
	MaxNames       int
	// Replace removes an earlier status with the same Exchange, which is derived then.
	Replace bool
	// User and Identifier, if not nil, are created with it.
	User       *NewUser
	Identifier *Identifier
	// Sends are counters of messages; if one refuses, nothing is stored.
	Sends    []Throttle
	Toll     *Toll // of a text message; nil: none
	Events   []Event
	Messages []Message // a code to send commits with the status
	// Idle is how many statements without effect take the place of those that a message would take:
	// a decoy asks the database as often as a user's try.
	Idle int
}

// Toll bounds the text messages with codes to a country. Attackers earn on messages to numbers
// of their own, and type no codes: so messages stop when too few codes come back.
type Toll struct {
	Country string // ISO 3166-1 alpha-2
	Day     int64  // days since 1970-01-01 in UTC
	Max     int    // messages on the day
	// Beyond Free messages on the day, one code in Ratio must have come back.
	Free, Ratio int
}

// On returns the Toll of the day of a time.
func (t Toll) On(now time.Time) Toll {
	t.Day = now.Unix() / (24 * 60 * 60)
	return t
}

// SentQuery describes the try that a browser began in a login.
type SentQuery struct {
	Request RequestID
	Browser [][]byte // keyed hashes of the binding cookie
	Usage   string
	Method  string // "": any
	Now     time.Time
}

// Statuses stores statuses. Throttles.CountAttempt counts them, Steps.Spend advances them.
type Statuses interface {
	// Initiate stores a new Status. ErrConflict: the request is not open or has used all
	// its initiations or names, a name of User or Identifier is taken, or, as a
	// *RefusedError, a counter of Sends refuses.
	Initiate(ctx context.Context, s NewStatus, now time.Time) error
	// StatusByExchange returns the unexpired Status with this current exchange, in any
	// state, and the account of its user (nil for a decoy).
	StatusByExchange(ctx context.Context, id ExchangeID, now time.Time) (Status, *Account, error)
	// Status returns an unexpired Status by its ID, in any state.
	Status(ctx context.Context, id StatusID, now time.Time) (Status, error)
	// VerifiedStatus returns the newest verified, unexpired status of a request,
	// usage and user, for owners of a login who name no status.
	VerifiedStatus(ctx context.Context, id RequestID, usage string, user UserID, now time.Time) (Status, error)
	// SentStatus returns the newest initiated, unexpired status that matches, and ErrNotFound if there
	// is none. The code of another browser, or of another caller who knows the request, is not found.
	SentStatus(ctx context.Context, q SentQuery) (Status, error)
	// CancelStatus ends an initiated or verified Status by its current exchange.
	CancelStatus(ctx context.Context, id ExchangeID, now time.Time, events []Event) error
}
