package keys

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
)

const (
	Batch = 500
	// patience is how long reseal waits for that by itself.
	patience = 3 * time.Minute
)

// rewrap seals all keys under the first key-encryption key, in one transaction.
func (m *Manager) Rewrap(ctx context.Context) (n int, kek string, err error) {
	change, err := m.change(ctx, func(_ []storage.Key, now time.Time) (storage.KeyChange, error) {
		// A server whose clock is behind still opens a key that has just expired.
		rows, err := m.Store.Keys(ctx, now.Add(-time.Hour))
		if err != nil {
			return storage.KeyChange{}, fmt.Errorf("read keys: %w", err)
		}
		var c storage.KeyChange
		for _, row := range rows {
			k, err := m.Keyring.Rewrap(row)
			if err != nil {
				return storage.KeyChange{}, err
			}
			if kek = k.KEK; row.KEK == kek {
				continue
			}
			c.Change = append(c.Change, k)
			c.Events = append(c.Events, m.event(mfa.EventKeysRewrapped, "admin", k, "from", row.KEK, "to", k.KEK))
		}
		return c, nil
	})
	return len(change.Change), kek, err
}

// resealData writes every stored secret under the newest keys, as soon as every server
// uses them.
func (m *Manager) ResealData(ctx context.Context, batch int, report func(format string, args ...any)) error {
	if err := m.AwaitNewest(ctx, report); err != nil {
		return err
	}
	written, broken, moved := 0, 0, 0
	last := relational.Resealing{}
	account := func() { written, broken = written+last.Written, broken+last.Broken }
	err := m.Store.Reseal(ctx, batch, func(at relational.Resealing) {
		if at.Column != last.Column {
			account()
		}
		last = at
		report("%s: %d read, %d written anew, %d do not open", at.Column, at.Read, at.Written, at.Broken)
	})
	account()
	if err == nil {
		err = throttle.MoveCounters(ctx, m.Store, m.Keyring, batch, func(users, n int) {
			moved = n
			report("counters: %d users, %d moved", users, moved)
		})
	}
	if err != nil {
		return err
	}
	event := m.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventKeysResealed, Actor: "admin", Detail: map[string]string{
		"written": strconv.Itoa(written), "broken": strconv.Itoa(broken), "counters": strconv.Itoa(moved)}})
	if err := m.Store.AppendEvents(ctx, []storage.Event{event}); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if broken > 0 {
		return fmt.Errorf("%d values do not open under any key and were left as they are; the log names their places", broken)
	}
	return nil
}

// awaitNewest waits until every server uses the newest data and hash keys: what one
// would still write under the old ones would be forgotten.
func (m *Manager) AwaitNewest(ctx context.Context, report func(format string, args ...any)) error {
	newest, several := time.Time{}, map[string]int{}
	for _, k := range m.Keyring.Rows() {
		if k.Use != "data" && k.Use != "hash" {
			continue
		}
		several[k.Use]++
		if k.ActiveAt.After(newest) {
			newest = k.ActiveAt
		}
	}
	// So long after the activation of a key no server, whatever its clock, seals under the
	// one before it.
	left := newest.Add(seal.Settle + m.MaxSkew).Sub(m.Now())
	if left <= 0 || several["data"] < 2 && several["hash"] < 2 {
		return nil
	}
	if left > patience {
		return fmt.Errorf("the newest key is used from %s on; try again then", cli.Time(newest))
	}
	report("Waiting %s until every server uses the newest keys.", left.Round(time.Second))
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return errors.New("stopped")
	}
	return m.Load(ctx)
}
