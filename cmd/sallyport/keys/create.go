package keys

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Prepare fills the keyring and creates what is missing: all keys in an empty database, and
// a signing key for each new algorithm of the settings.
func (m *Manager) Prepare(ctx context.Context, algs []string) error {
	rows, err := m.Store.Keys(ctx, m.Now())
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if len(rows) == 0 {
		first, err := m.Keyring.First(m.Now(), algs...)
		if err != nil {
			return fmt.Errorf("create keys: %w", err)
		}
		return m.add(ctx, first, true)
	}
	if err := m.Keyring.Load(rows, m.Now()); err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	var missing []storage.Key
	for _, alg := range algs {
		if m.signs(alg) {
			continue
		}
		key, err := m.Keyring.NewKey("oidc", alg, m.Now())
		if err != nil {
			return fmt.Errorf("create %s key: %w", alg, err)
		}
		missing = append(missing, key)
	}
	if len(missing) == 0 {
		return nil
	}
	return m.add(ctx, missing, false)
}

func (m *Manager) signs(alg string) bool {
	for _, key := range m.Keyring.Signings("oidc") {
		if key.Alg == alg && key.RetiredAt.IsZero() {
			return true
		}
	}
	return false
}

// add stores keys and loads all there are. If another server has created the first keys by
// then, those are used.
func (m *Manager) add(ctx context.Context, keys []storage.Key, first bool) error {
	event := m.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventKeysCreated, Actor: "system"})
	err := m.Store.AddKeys(ctx, keys, first, []storage.Event{event})
	if err != nil && !(first && errors.Is(err, storage.ErrConflict)) {
		return fmt.Errorf("store keys: %w", err)
	}
	rows, err := m.Store.Keys(ctx, m.Now())
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if err := m.Keyring.Load(rows, m.Now()); err != nil {
		return fmt.Errorf("open keys: %w", err)
	}
	return nil
}
