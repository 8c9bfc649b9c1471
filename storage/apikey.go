package storage

import (
	"context"
	"slices"
	"time"
)

// APIKey authenticates a backend and limits the APIs and operations it may use.
type APIKey struct {
	ID   APIKeyID
	Name string // unique: operators and the desired state name keys by it
	// Hashes are SHA-256 sums of secrets of 256 random bits: the newest first and,
	// during a rotation, its predecessor. Unique over all keys.
	Hashes   [][]byte
	Dialects []string // the APIs it may call
	Verbs    []string // what it may do there
	Project  string   // project_id in the Stytch dialect
	App      string   // name of the application in the Streambird dialect
	Disabled bool
	// Maker is the key that created this one; "": the operator. It never changes, and a
	// key has no right that its maker lacks.
	Maker APIKeyID
	// ExpiresAt is when the key expires; zero: never.
	ExpiresAt  time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time // written in the background, at most once a minute; not a change of the key
}

// Allows reports whether a key may do something in a dialect.
func (k APIKey) Allows(dialect, verb string) bool {
	return slices.Contains(k.Dialects, dialect) && slices.Contains(k.Verbs, verb)
}

// MaxMakers bounds the chain of makers of a key, so that its rights are read in one short
// statement.
const MaxMakers = 8

// APIKeys stores API keys. Every change except of LastUsedAt increments the version
// "api_keys".
type APIKeys interface {
	// APIKey returns a key, even if disabled or expired.
	APIKey(ctx context.Context, id APIKeyID) (APIKey, error)
	// APIKeyLine returns a key followed by its chain of makers, up to MaxMakers of those
	// that exist. One statement.
	APIKeyLine(ctx context.Context, id APIKeyID) ([]APIKey, error)
	// APIKeyByHash is APIKeyLine for the key with a secret of this SHA-256 sum.
	APIKeyByHash(ctx context.Context, hash []byte) ([]APIKey, error)
	// APIKeyHash returns the hash with this prefix. ErrNotFound: there is none, or more
	// than one.
	APIKeyHash(ctx context.Context, prefix []byte) ([]byte, error)
	// ListAPIKeys returns all keys in the order of their names.
	ListAPIKeys(ctx context.Context) ([]APIKey, error)
	// CreateAPIKey adds a key. ErrConflict: its name or a hash is taken. ErrNotFound:
	// its maker is deleted or disabled, or had expired at CreatedAt.
	CreateAPIKey(ctx context.Context, k APIKey, events []Event) error
	// ReplaceAPIKey replaces a key except LastUsedAt, CreatedAt and Maker. ErrConflict:
	// it was changed or deleted since was, the UpdatedAt that was read, or the new name or
	// a new hash is taken.
	ReplaceAPIKey(ctx context.Context, k APIKey, was time.Time, events []Event) error
	// DeleteAPIKey removes a key.
	DeleteAPIKey(ctx context.Context, id APIKeyID, events []Event) error
	// TouchAPIKeys advances LastUsedAt of keys; an earlier time never replaces a later one.
	TouchAPIKeys(ctx context.Context, used map[APIKeyID]time.Time) error
}
