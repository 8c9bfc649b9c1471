package keys

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// CheckUnused returns an error if anything stored depends on a key.
func (m *Manager) CheckUnused(ctx context.Context, id storage.KeyID) error {
	use := ""
	for _, k := range m.Keyring.Rows() {
		if k.ID == id {
			use = k.Use
		}
	}
	if m.Keyring.Current(use) == id {
		return nil // Release refuses it, and says why
	}
	switch use {
	case "data":
		left, err := m.Store.SealedUnder(ctx, id)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("secrets are sealed under it: %s; run sallyport keys reseal --data first", counts(left))
		}
	case "hash":
		n, err := m.Store.HashedUnder(ctx, id)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%d recovery codes and links of messages depend on it; run sallyport keys reseal --data first", n)
		}
		return throttle.MoveCounters(ctx, m.Store, m.Keyring, Batch, func(int, int) {})
	case "pepper":
		n, err := m.pepperedWith(ctx, id)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%d passwords depend on it; each moves to the next key when its user signs in or gets another password", n)
		}
	}
	return nil
}

// pepperedWith returns how many secrets need a pepper.
func (m *Manager) pepperedWith(ctx context.Context, id storage.KeyID) (int, error) {
	n := 0
	for _, method := range m.Methods {
		peppered, ok := method.(mfa.Peppered)
		if !ok {
			continue
		}
		err := m.Store.EachSecret(ctx, method.Info().Name, func(secret []byte) {
			if peppered.PepperOf(secret) == id {
				n++
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

func counts(of map[string]int) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, fmt.Sprintf("%s %d", name, of[name]))
	}
	return strings.Join(out, ", ")
}

// Retire lets a key expire that nothing stored depends on.
func (m *Manager) Retire(ctx context.Context, id storage.KeyID) (storage.Key, error) {
	if err := m.CheckUnused(ctx, id); err != nil {
		return storage.Key{}, err
	}
	change, err := m.change(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		k, err := m.Keyring.Release(rows, id, now)
		return storage.KeyChange{Change: []storage.Key{k},
			Events: []storage.Event{m.event(mfa.EventKeysRetired, "admin", k, "expires_at", cli.Time(k.ExpiresAt))}}, err
	})
	if err != nil {
		return storage.Key{}, err
	}
	return change.Change[0], nil
}

// Withdraw ends a stolen key immediately, and returns it with the keys that replace it.
func (m *Manager) Withdraw(ctx context.Context, id storage.KeyID) (withdrawn storage.Key, added []storage.Key, err error) {
	change, err := m.change(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		r, err := m.Keyring.Withdraw(rows, id, now)
		if err != nil {
			return storage.KeyChange{}, err
		}
		withdrawn = r.Change[0]
		by := ""
		for _, k := range r.Add {
			by = string(k.ID)
		}
		return storage.KeyChange{Add: r.Add, Change: r.Change,
			Events: []storage.Event{m.event(mfa.EventKeysWithdrawn, "admin", withdrawn, "by", cmp.Or(by, "a key that was there"))}}, nil
	})
	return withdrawn, change.Add, err
}
