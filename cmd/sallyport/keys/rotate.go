package keys

import (
	"context"
	"errors"
	"slices"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Rotate creates the next key of a use: for one algorithm, or for each that has a key.
func (m *Manager) Rotate(ctx context.Context, actor, use, alg string, lead time.Duration) (storage.KeyChange, error) {
	return m.change(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		algs := []string{alg}
		if alg == "" {
			algs = algsOf(rows, use)
		}
		var c storage.KeyChange
		for _, alg := range algs {
			if err := m.addNext(&c, rows, actor, use, alg, now, lead); err != nil {
				return storage.KeyChange{}, err
			}
		}
		return c, nil
	})
}

// addNext adds the next key of one use and algorithm to a change.
func (m *Manager) addNext(c *storage.KeyChange, rows []storage.Key, actor, use, alg string, now time.Time, lead time.Duration) error {
	r, err := m.Keyring.Rotate(rows, use, alg, now, lead)
	if err != nil {
		return err
	}
	c.Add, c.Change = append(c.Add, r.Add...), append(c.Change, r.Change...)
	for _, k := range append(slices.Clone(r.Add), r.Change...) {
		if k.RetiredAt.IsZero() {
			c.Events = append(c.Events, m.event(mfa.EventKeysRotated, actor, k, "active_at", cli.Time(k.ActiveAt)))
		}
	}
	return nil
}

// algsOf returns the algorithms of the keys of a use that are not retired. Only published
// keys have more than one at a time.
func algsOf(rows []storage.Key, use string) []string {
	var out []string
	for _, k := range rows {
		if seal.Published(use) && k.Use == use && k.RetiredAt.IsZero() && !slices.Contains(out, k.Alg) {
			out = append(out, k.Alg)
		}
	}
	if out == nil {
		out = []string{""}
	}
	return out
}

// RotateDue rotates every key that is due, in one transaction. Of several servers one does
// it: the others get a conflict, plan again and find the next key waiting.
func (m *Manager) RotateDue(ctx context.Context) error {
	change, err := m.change(ctx, func(rows []storage.Key, now time.Time) (storage.KeyChange, error) {
		var c storage.KeyChange
		for _, use := range seal.Uses() {
			for _, alg := range algsOf(rows, use) {
				if !slices.ContainsFunc(rows, func(k storage.Key) bool { return seal.Same(k, use, alg) && m.due(k, now) }) {
					continue
				}
				err := m.addNext(&c, rows, "system", use, alg, now, seal.Lead(use, false))
				if err != nil && !errors.Is(err, seal.ErrPending) {
					return storage.KeyChange{}, err
				}
			}
		}
		return c, nil
	})
	if err != nil {
		return err
	}
	for _, k := range change.Add {
		m.Log.Info("next key created", "key", string(k.ID), "use", k.Use, "alg", k.Alg, "active_at", cli.Time(k.ActiveAt))
	}
	return nil
}

// due reports whether a key must be replaced now. An outdated one, created by an earlier
// version, must: it can seal a limited number of values only.
func (m *Manager) due(k storage.Key, now time.Time) bool {
	after := m.RotateOwnAfter
	if seal.Published(k.Use) {
		after = m.RotateAfter
	}
	if after <= 0 || !seal.RotatesByAge(k.Use) || !k.RetiredAt.IsZero() || now.Before(k.ActiveAt) {
		return false
	}
	return seal.Outdated(k) || !now.Before(k.ActiveAt.Add(after-seal.Lead(k.Use, false)))
}
