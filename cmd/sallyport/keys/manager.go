// Package keys creates, rotates, retires and reseals the server's own keys, while servers
// serve.
package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
)

// Manager changes the keys in the database and reads them into the keyring.
type Manager struct {
	Store   *relational.Engine
	Keyring *seal.Keyring
	Journal *audit.Journal
	Methods []mfa.Method // whose secrets may need a pepper
	Now     func() time.Time
	Log     *slog.Logger
	// RotateAfter is how long a published key signs, RotateOwnAfter how long any other key is
	// used; 0: until an operator rotates it.
	RotateAfter, RotateOwnAfter time.Duration
	// MaxSkew is how far the clock of a serving server may be from the database's.
	MaxSkew time.Duration
}

// ErrNone means that the database has no keys.
var ErrNone = errors.New("there are no keys yet; the first start of a server creates them")

// Load reads the keys of a database that has some.
func (m *Manager) Load(ctx context.Context) error {
	rows, err := m.Store.Keys(ctx, m.Now())
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 {
		return ErrNone
	}
	if err := m.Keyring.Load(rows, m.Now()); err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	return nil
}

// maxConflicts is how often a change is planned again after a conflict.
const maxConflicts = 5

// change stores the change that plan derives from the present keys, in one transaction. If
// another process changes keys at the same time, it plans again from what is there then.
func (m *Manager) change(ctx context.Context, plan func(rows []storage.Key, now time.Time) (storage.KeyChange, error)) (storage.KeyChange, error) {
	for range maxConflicts {
		versions, err := m.Store.Versions(ctx)
		if err != nil {
			return storage.KeyChange{}, fmt.Errorf("read version of keys: %w", err)
		}
		now := m.Now()
		rows, err := m.Store.Keys(ctx, now)
		if err != nil {
			return storage.KeyChange{}, fmt.Errorf("read keys: %w", err)
		}
		c, err := plan(rows, now)
		if err != nil || len(c.Add)+len(c.Change) == 0 {
			return c, err
		}
		c.Version = versions["keys"]
		err = m.Store.ChangeKeys(ctx, c)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return c, fmt.Errorf("store keys: %w", err)
		}
	}
	return storage.KeyChange{}, errors.New("other processes keep changing the keys; try again")
}

// event returns the audit event of one key; more holds further details in pairs.
func (m *Manager) event(kind, actor string, k storage.Key, more ...string) storage.Event {
	detail := map[string]string{"key": string(k.ID), "use": k.Use}
	if k.Alg != "" {
		detail["alg"] = k.Alg
	}
	for i := 0; i+1 < len(more); i += 2 {
		detail[more[i]] = more[i+1]
	}
	return m.Journal.Event(mfa.Caller{}, storage.Event{Kind: kind, Actor: actor, Detail: detail})
}
