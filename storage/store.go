package storage

import (
	"context"
	"time"
)

// Housekeeping has the maintenance calls of an engine.
type Housekeeping interface {
	// Clock returns the database's time, to measure the skew.
	Clock(ctx context.Context) (time.Time, error)
	// Sweep removes up to limit expired rows of each short-lived table and returns how many.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)
	Close() error
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
	APIKeys
	Grants
	Keys
	Events
	Outbox
	Housekeeping
}
