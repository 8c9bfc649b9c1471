package storage

import (
	"context"
	"time"
)

// Housekeeping has the maintenance calls of an engine.
type Housekeeping interface {
	// Clock returns the database's time, to measure the skew.
	Clock(ctx context.Context) (time.Time, error)
	// Sweep removes what has expired and returns how many rows. It removes up to limit rows at a time, a
	// thousand at most, and rests in between: requests go first.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)
	Close() error
}

// Settling waits for what others have written.
type Settling interface {
	// Settle returns when everything that could be read before would survive a failover. A call that
	// acknowledges what it found, instead of writing it, asks for this first. ErrUnavailable: it might not.
	Settle(ctx context.Context) error
}

// Store is the full contract of an engine. Packages declare the part they need.
type Store interface {
	Users
	Authenticators
	AuthRequests
	PushedRequests
	PolledRequests
	Statuses
	Tickets
	Invitations
	Throttles
	Steps
	Sessions
	RememberedDevices
	Clients
	Registrations
	APIKeys
	Grants
	Keys
	Events
	Outbox
	Settling
	Housekeeping
}
