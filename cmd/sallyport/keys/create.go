package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Prepare fills the keyring and creates what is missing: all keys in an empty database, a
// signing key for each new algorithm of the settings, and the keys of uses that came later.
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
		return m.addFirst(ctx, append(first, dialect))
	}
	if err != nil {
		return err
	}
	// If two servers start at the same time, one creates the keys: a second one for pairwise subjects
	// would give users other subjects.
	added, err := m.change(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		missing, err := m.missing(rows, now, algs)
		if err != nil || len(missing) == 0 {
			return storage.KeyChange{}, err
		}
		return storage.KeyChange{Add: missing, Events: m.created()}, nil
	})
	if err != nil || len(added.Add) == 0 {
		return err
	}
	return m.Load(ctx)
}

// missing returns new keys for what no key is for: an algorithm that the settings did not name
// before, and in a database of an earlier version the JWTs of the dialects and pairwise subjects.
func (m *Manager) missing(rows []storage.Key, now time.Time, algs []string) ([]storage.Key, error) {
	var out []storage.Key
	add := func(use, alg string) error {
		if slices.ContainsFunc(rows, func(k storage.Key) bool { return k.Use == use && k.Alg == alg && k.RetiredAt.IsZero() }) {
			return nil
		}
		key, err := m.Keyring.NewKey(use, alg, now)
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
	if err := add("dialect", seal.DialectAlg); err != nil {
		return nil, err
	}
	return out, add("pairwise", "")
}

// addFirst stores the first keys and loads all there are. If another server has created them by
// then, those are used.
func (m *Manager) addFirst(ctx context.Context, keys []storage.Key) error {
	err := m.Store.AddKeys(ctx, keys, true, m.created())
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("store keys: %w", err)
	}
	return m.Load(ctx)
}

func (m *Manager) created() []storage.Event {
	return []storage.Event{m.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventKeysCreated, Actor: "system"})}
}
