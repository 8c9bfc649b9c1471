package storage

import (
	"context"
	"time"
)

// Key is a secret of the server itself, sealed under a key-encryption key of the
// key file. Everything else that is secret hangs on one of these rows.
type Key struct {
	ID  KeyID
	Use string // "data", "hash", "pepper", "subject", "session", "token", "oidc", "dialect"
	Alg string // signing keys: RS256, ES256, ...; data keys: XAES-256-GCM, "" of a version before; others: ""
	KEK string // name of the key-encryption key it is sealed under
	// Sealed is the key material as package seal wrote it.
	Sealed    []byte
	CreatedAt time.Time
	// ActiveAt: from here on it signs or seals; before it is only published.
	ActiveAt time.Time
	// RetiredAt: from here on it only verifies and opens; zero: not retired.
	RetiredAt time.Time
	// ExpiresAt: from here on it is gone; zero: never.
	ExpiresAt time.Time
}

// Keys keeps the server's own keys.
type Keys interface {
	// Keys returns all keys that have not expired, oldest first.
	Keys(ctx context.Context, now time.Time) ([]Key, error)
	// AddKeys stores new keys and moves the version "keys". ErrConflict: an ID is taken,
	// or onlyFirst is set and there are keys already (two servers started at once).
	AddKeys(ctx context.Context, keys []Key, onlyFirst bool, events []Event) error
	// UpdateKey replaces KEK, Sealed and the times of a key and moves the version "keys".
	UpdateKey(ctx context.Context, k Key, events []Event) error
	// ChangeKeys makes a change whole, or not at all, and moves the version "keys".
	// ErrConflict: somebody changed keys since that version was read, or an ID is
	// taken. ErrNotFound: there is no such key.
	ChangeKeys(ctx context.Context, c KeyChange) error
}

// KeyChange adds keys and replaces KEK, Sealed and times of others.
type KeyChange struct {
	Version int64 // of "keys", read before the keys the change was made of
	Add     []Key
	Change  []Key
	Events  []Event
}
