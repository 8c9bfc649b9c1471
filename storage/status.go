package storage

import (
	"context"
	"time"
)

// StatusState is where one try at one authenticator is.
type StatusState string

// A Status goes from initiated to verified to redeemed. The other states are ends.
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

// Status is one try at one authenticator, and the exchange that leads to its next step.
type Status struct {
	ID            StatusID
	Exchange      ExchangeID // the one that is good now; only known when just made
	Request       RequestID  // "" outside an authorization request
	ClientID      ClientID
	UserID        UserID          // "": a decoy, which never verifies
	Authenticator AuthenticatorID // "": any of the method
	Method        string
	Usage         string // what it is for: "mfa", "passwordless", "initial", "enroll"
	Browser       []byte // keyed hash of the binding cookie; nil: none
	State         StatusState
	Attempts      int
	Data          []byte // sealed: what the method put aside at Begin
	CreatedAt     time.Time
	VerifiedAt    time.Time
	ExpiresAt     time.Time
	// RequestHash lets a reader of a Status compare it with a request it holds;
	// filled by the engine on reading.
	RequestHash []byte
}

// NewStatus starts a try. The request's count of initiations grows, bounded by
// MaxInitiations. With Supersede, older initiated statuses of the same request and
// method are superseded. Name, if set, is remembered as by AuthRequests.RememberName.
type NewStatus struct {
	Status         Status
	MaxInitiations int
	Supersede      bool
	Name           []byte
	MaxNames       int
	Events         []Event
	Messages       []Message // a code to send travels in the same commit
}

// Statuses keeps tries. They are counted by Throttles.CountAttempt and moved by Steps.Spend.
type Statuses interface {
	// Initiate stores a new Status. ErrConflict: the request is not open or has had
	// all its initiations, or names.
	Initiate(ctx context.Context, s NewStatus, now time.Time) error
	// StatusByExchange returns the Status whose current exchange this is, in any
	// state, expired ones excepted, together with the account of its user (nil for a decoy).
	StatusByExchange(ctx context.Context, id ExchangeID, now time.Time) (Status, *Account, error)
	// Status returns a Status by its ID, in any state, expired ones excepted.
	Status(ctx context.Context, id StatusID, now time.Time) (Status, error)
	// VerifiedStatus returns the newest verified, unexpired status of a request,
	// usage and user, for owners of a login who name it and no status.
	VerifiedStatus(ctx context.Context, id RequestID, usage string, user UserID, now time.Time) (Status, error)
	// CancelStatus ends an initiated or verified Status by its current exchange.
	CancelStatus(ctx context.Context, id ExchangeID, now time.Time, events []Event) error
}
