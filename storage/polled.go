package storage

import (
	"context"
	"net/url"
	"time"
)

// KeepPolled is how long a PolledRequest is kept after it expired, so that its client is told that it
// did.
const KeepPolled = time.Hour

// PolledState is the state of a PolledRequest. All but pending are final.
type PolledState string

// The states.
const (
	PolledPending  PolledState = "pending"
	PolledApproved PolledState = "approved"
	PolledDenied   PolledState = "denied"
)

// PolledRequest is an authorization request that a client sent itself, that a person ends somewhere
// else, and that the client polls the token endpoint for: of a device without a browser (RFC 8628).
type PolledRequest struct {
	ID PolledID
	// GrantType is the grant type that the client polls with.
	GrantType string
	// Code is what the client polls with, the device_code: 256 random bits. Known only on creation:
	// it is kept as a keyed hash.
	Code string
	// UserCode is what a person types to find the request, and is known only on creation, too.
	UserCode  string
	ClientID  ClientID
	UserID    UserID        // who approved it
	Details   PolledDetails // sealed
	State     PolledState
	Interval  time.Duration // between polls; each one too early adds to it
	CreatedAt time.Time
	ExpiresAt time.Time
}

// PolledDetails are what a request asks for, and where it came from.
type PolledDetails struct {
	Params  url.Values `json:"params"` // validated
	Address string     `json:"address,omitempty"`
	Country string     `json:"country,omitempty"` // of Address; "": not known
	Agent   string     `json:"agent,omitempty"`   // User-Agent of the caller
}

// Poll asks for the end of a request.
type Poll struct {
	Code      string
	GrantType string
	ClientID  ClientID
	// Slack is how much earlier than its interval a poll may come; Slower is what one that is
	// earlier still adds to the interval.
	Slack, Slower time.Duration
	Now           time.Time
}

// Polled is the answer to a Poll.
type Polled struct {
	Request PolledRequest // without Details
	GrantID GrantID       // of an approved one
	TooSoon bool
}

// PolledEnd approves a request with the grant that a login ends in (Finish).
type PolledEnd struct {
	ID      PolledID
	User    UserID
	GrantID GrantID
	// Until is the least time until which the client can still poll for the grant.
	Until time.Time
}

// PolledRequests stores requests that clients poll for.
type PolledRequests interface {
	// CreatePolled stores a new request. ErrConflict: its UserCode is in use.
	CreatePolled(ctx context.Context, r PolledRequest) error
	// Polled returns a pending, unexpired request. One statement.
	Polled(ctx context.Context, id PolledID, now time.Time) (PolledRequest, error)
	// PolledByUserCode is Polled by what a person typed. One statement.
	PolledByUserCode(ctx context.Context, code string, now time.Time) (PolledRequest, error)
	// Poll returns the state of a request of a client, expired ones too, and counts the poll. One
	// statement. It writes nothing about a request that cannot be won any more: one that has expired,
	// or one polled too soon so often that its Interval is as long as its life. A poll of the latter
	// is too soon until it expires, unless it was denied.
	Poll(ctx context.Context, p Poll) (Polled, error)
	// DenyPolled ends a pending request. ErrConflict: it is over, or expired.
	DenyPolled(ctx context.Context, id PolledID, now time.Time) error
}
