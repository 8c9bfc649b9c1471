package storage

import (
	"context"
	"slices"
	"time"
)

// APIKey lets a backend call us: which APIs it may speak to, and what it may do there.
type APIKey struct {
	ID   APIKeyID
	Name string // unique: people and the desired state name keys by it
	// Hashes are SHA-256 sums of secrets of 256 random bits: the newest first and,
	// during a rotation, its predecessor. Unique over all keys.
	Hashes   [][]byte
	Dialects []string // the APIs it opens
	Verbs    []string // what it may do there
	Project  string   // project_id it is shown with in the Stytch dialect
	App      string   // name of the application in the Streambird dialect
	Disabled bool
	// Maker is the key that made this one; "": the operator. It never changes, and a key
	// opens nothing that its maker does not.
	Maker APIKeyID
	// ExpiresAt is the end of a key that has one; zero: none.
	ExpiresAt  time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time // written behind, at most once a minute; no change of the key
}

// Allows reports whether a key may do something in a dialect.
func (k APIKey) Allows(dialect, verb string) bool {
	return slices.Contains(k.Dialects, dialect) && slices.Contains(k.Verbs, verb)
}

// MakersMost bounds how many keys a key may descend from, so that finding out what it
// opens costs one short statement.
const MakersMost = 8

// APIKeys keeps the keys of backends. Every change but a note of use moves the version
// "api_keys".
type APIKeys interface {
	// APIKey returns a key, disabled and expired ones included.
	APIKey(ctx context.Context, id APIKeyID) (APIKey, error)
	// APIKeyLine returns a key and behind it those it descends from, its maker first: up
	// to MakersMost of them, as far as they are there. One statement.
	APIKeyLine(ctx context.Context, id APIKeyID) ([]APIKey, error)
	// APIKeyByHash is APIKeyLine for the key one of whose secrets has this SHA-256 sum.
	APIKeyByHash(ctx context.Context, hash []byte) ([]APIKey, error)
	// APIKeyHash returns the only hash of a key that begins so. ErrNotFound: there is none, or
	// another one.
	APIKeyHash(ctx context.Context, prefix []byte) ([]byte, error)
	// ListAPIKeys returns all keys in the order of their names.
	ListAPIKeys(ctx context.Context) ([]APIKey, error)
	// CreateAPIKey adds a key. ErrConflict: its name or a hash of it is taken. ErrNotFound:
	// its maker was deleted or disabled, or had expired at its CreatedAt.
	CreateAPIKey(ctx context.Context, k APIKey, events []Event) error
	// ReplaceAPIKey replaces a key by the one of the same ID, LastUsedAt, CreatedAt
	// and Maker excepted. ErrConflict: it was changed or deleted since was, the UpdatedAt that
	// was read, or the new name or a new hash is taken.
	ReplaceAPIKey(ctx context.Context, k APIKey, was time.Time, events []Event) error
	// DeleteAPIKey removes a key.
	DeleteAPIKey(ctx context.Context, id APIKeyID, events []Event) error
	// TouchAPIKeys notes when keys were last used; an earlier note never replaces a later one.
	TouchAPIKeys(ctx context.Context, used map[APIKeyID]time.Time) error
}
