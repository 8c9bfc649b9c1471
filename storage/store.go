package storage

import (
	"context"
	"time"
)

// Housekeeping is what a server does for its engine.
type Housekeeping interface {
	// Clock returns the database's time, to measure the skew.
	Clock(ctx context.Context) (time.Time, error)
	// Sweep removes up to limit expired rows of each short-lived table and returns how many.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)
	Close() error
}

// Store is everything an engine keeps. Rooms declare the slice of it they need.
type Store interface {
	Users
	Authenticators
	AuthRequests
	Statuses
	Throttles
	Steps
	Sessions
	Clients
	APIKeys
	Grants
	Keys
	Events
	Outbox
	Housekeeping
}
