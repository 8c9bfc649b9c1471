package storage

import (
	"context"
	"time"
)

// RememberedDevice is a browser in which a user need not prove a second factor again for a
// while. Its token is derived from ID and Generation, and is stored nowhere but in the browser.
type RememberedDevice struct {
	ID     RememberedID
	UserID UserID
	Factor Factor // the second factor proven in the browser, with its time
	// Generation is part of the token. A use increments it, which replaces the token.
	Generation int64
	RotatedAt  time.Time // of the last increment
	UserAgent  string
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time
}

// RememberedUse spends a token of a remembered device. Its successor is the token of
// Generation+1: of two uses at once one creates it, and the other gets the same.
type RememberedUse struct {
	ID         RememberedID
	User       UserID
	Generation int64 // of the token shown
	// Since is when the token may have been replaced at the earliest. One replaced before is
	// a replay.
	Since time.Time
	Now   time.Time
}

// RememberedDevices stores remembered devices. Spend adds and renews them, Finish uses them. All
// of a user end, in the transaction of the change, with UserChange.Kill, EndSessions of a Spend or
// of Sessions, a changed secret, and a factor that is confirmed, replaced or removed.
type RememberedDevices interface {
	// Remembered returns those of a user among the IDs that a browser holds, unless they have
	// expired. One statement.
	Remembered(ctx context.Context, user UserID, ids []RememberedID, now time.Time) ([]RememberedDevice, error)
	// RememberedOf returns all of a user that have not expired, newest first.
	RememberedOf(ctx context.Context, user UserID, now time.Time) ([]RememberedDevice, error)
	// EndRemembered removes one of a user, or all with "". ErrNotFound: there is none, and the
	// events are not written.
	EndRemembered(ctx context.Context, user UserID, id RememberedID, events []Event) error
}
