package keys

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Prepare fills the keyring and creates what is missing: all keys in an empty database, a
// signing key for each new algorithm of the settings, and the key of the dialects.
func (m *Manager) Prepare(ctx context.Context, algs []string) error {
	err := m.Load(ctx)
	if errors.Is(err, ErrNone) {
		first, err := m.Keyring.First(m.Now(), algs...)
		if err != nil {
			return fmt.Errorf("create keys: %w", err)
		}
		dialect, err := m.Keyring.NewKey("dialect", seal.DialectAlg, m.Now())
		if err != nil {
			return fmt.Errorf("create keys: %w", err)
		}
		return m.add(ctx, append(first, dialect), true)
	}
	if err != nil {
		return err
	}
	missing, err := m.missing(algs)
	if err != nil || len(missing) == 0 {
		return err
	}
	return m.add(ctx, missing, false)
}

// missing returns new keys for what no key signs: an algorithm that the settings did not name
// before, and the JWTs of the dialects in a database of a version without them.
func (m *Manager) missing(algs []string) ([]storage.Key, error) {
	var out []storage.Key
	add := func(use, alg string) error {
		if m.signs(use, alg) {
			return nil
		}
		key, err := m.Keyring.NewKey(use, alg, m.Now())
		if err != nil {
			return fmt.Errorf("create %s key of use %s: %w", alg, use, err)
		}
		out = append(out, key)
		return nil
	}
	for _, alg := range algs {
		if err := add("oidc", alg); err != nil {
			return nil, err
		}
	}
	return out, add("dialect", seal.DialectAlg)
}

func (m *Manager) signs(use, alg string) bool {
	for _, key := range m.Keyring.Signings(use) {
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
	return m.Load(ctx)
}
