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
// else, and that the client polls the token endpoint for: of a device without a browser (RFC 8628), or
// of a client that names its user (OpenID Connect Client-Initiated Backchannel Authentication).
type PolledRequest struct {
	ID PolledID
	// GrantType is the grant type that the client polls with.
	GrantType string
	// Code is what the client polls with, the device_code or auth_req_id: 256 random bits. Known only
	// on creation: it is kept as a keyed hash.
	Code string
	// UserCode is what a person types to find the request, and is known only on creation, too. "":
	// nobody can find it so.
	UserCode string
	ClientID ClientID
	// UserID is who alone may end the request, if it is set on creation. Else it is who approved it.
	UserID    UserID
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
	// Message is the binding_message, which the user compares (CIBA section 7.1).
	Message string `json:"message,omitempty"`
	// Ping is what the client is told of the end with; nil: it is not told.
	Ping *Ping `json:"ping,omitempty"`
	// Counted is what the request was counted for, by the keyed hash of which its counter is found.
	Counted string `json:"counted,omitempty"`
}

// Ping is what the notification of a client contains (CIBA section 10.2).
type Ping struct {
	Code  string `json:"auth_req_id"`
	Token string `json:"client_notification_token"`
}

// BackchannelPing is the kind of messages that tell a client that its request has ended. The recipient
// is the client, PingCode and PingToken are the keys of the data.
const (
	BackchannelPing = "backchannel_ping"
	PingCode        = "auth_req_id"
	PingToken       = "client_notification_token"
)

// NewPolled is a PolledRequest to be stored: everything here happens, or nothing.
type NewPolled struct {
	Request  PolledRequest
	Sends    []Throttle // counters that must not refuse
	Messages []Message
	Events   []Event
}

// PolledDenial ends a request without a grant.
type PolledDenial struct {
	ID       PolledID
	User     UserID // who ends it; "": nobody known
	Messages []Message
	Events   []Event
	Now      time.Time
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
	// CreatePolled stores a new request. ErrConflict: its UserCode is in use or, as a *RefusedError, one
	// of Sends refuses, and nothing is stored.
	CreatePolled(ctx context.Context, n NewPolled) error
	// Polled returns a pending, unexpired request. One statement.
	Polled(ctx context.Context, id PolledID, now time.Time) (PolledRequest, error)
	// PolledByUserCode is Polled by what a person typed. One statement.
	PolledByUserCode(ctx context.Context, code string, now time.Time) (PolledRequest, error)
	// PolledOf returns the newest pending, unexpired requests that were created for a user, up to limit.
	// One statement.
	PolledOf(ctx context.Context, user UserID, now time.Time, limit int) ([]PolledRequest, error)
	// Poll returns the state of a request of a client, expired ones too, and counts the poll. One
	// statement. It writes nothing about a request that cannot be won any more: one that has expired,
	// or one polled too soon so often that its Interval is as long as its life. A poll of the latter
	// is too soon until it expires, unless it was denied.
	Poll(ctx context.Context, p Poll) (Polled, error)
	// DenyPolled ends a pending request. ErrConflict: it is over, expired, or another user's, and
	// nothing is stored.
	DenyPolled(ctx context.Context, d PolledDenial) error
}
