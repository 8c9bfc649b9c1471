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

// manager creates, rotates, retires and reseals the server's own keys.
type Manager struct {
	Store   *relational.Engine
	Keyring *seal.Keyring
	Journal *audit.Journal
	Now     func() time.Time
	Log     *slog.Logger
	// rotateAfter is how long a signing key signs, rotateOwnAfter how long a key is used
	// that nobody else sees; 0: until an operator rotates it.
	RotateAfter, RotateOwnAfter time.Duration
	// maxSkew is how far the clock of a server may be from the database's while it serves.
	MaxSkew time.Duration
}

// reload reads the keys of a database that has some.
func (m *Manager) Load(ctx context.Context) error {
	rows, err := m.Store.Keys(ctx, m.Now())
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 {
		return errors.New("there are no keys yet; the first start of a server makes them")
	}
	if err := m.Keyring.Load(rows, m.Now()); err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	return nil
}

// changes is how often a change is planned anew because somebody else was first.
const changes = 5

// change stores what plan makes of the keys there are, in one transaction. Whoever
// changes keys at the same time makes it plan again, on what is there then.
func (m *Manager) change(ctx context.Context, plan func(rows []storage.Key, now time.Time) (storage.KeyChange, error)) (storage.KeyChange, error) {
	for range changes {
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
	return storage.KeyChange{}, errors.New("somebody else changes keys all the time; try again")
}

// event is the audit event of one key.
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
