package storage

import (
	"context"
	"time"
)

// Key is a secret of the server, sealed under a key-encryption key of the key file.
// Every other secret depends on one of these rows.
type Key struct {
	ID  KeyID
	Use string // "data", "hash", "pepper", "subject", "session", "token", "pairwise", "oidc", "dialect"
	Alg string // signing keys: RS256, ES256, ...; data keys: XAES-256-GCM, "" of earlier versions; others: ""
	KEK string // name of the key-encryption key that seals it
	// Sealed is the key material, sealed by package seal.
	Sealed    []byte
	CreatedAt time.Time
	// ActiveAt: from then on it signs or seals; before, it is only published.
	ActiveAt time.Time
	// RetiredAt: from then on it only verifies and opens; zero: not retired.
	RetiredAt time.Time
	// ExpiresAt: from then on it is not used; zero: never.
	ExpiresAt time.Time
}

// Keys stores the server's keys.
type Keys interface {
	// Keys returns all keys that have not expired, oldest first.
	Keys(ctx context.Context, now time.Time) ([]Key, error)
	// AddKeys stores new keys and increments the version "keys". ErrConflict: an ID is taken,
	// or onlyFirst is set and there are keys already (two servers started concurrently).
	AddKeys(ctx context.Context, keys []Key, onlyFirst bool, events []Event) error
	// UpdateKey replaces KEK, Sealed and the times of a key and increments the version "keys".
	UpdateKey(ctx context.Context, k Key, events []Event) error
	// ChangeKeys makes a change completely or not at all, and increments the version
	// "keys". ErrConflict: keys have changed since that version was read, or an ID is
	// taken. ErrNotFound: there is no such key.
	ChangeKeys(ctx context.Context, c KeyChange) error
}

// KeyChange adds keys and replaces KEK, Sealed and times of others.
type KeyChange struct {
	Version int64 // of "keys", read before the keys the change is based on
	Add     []Key
	Change  []Key
	Events  []Event
}
