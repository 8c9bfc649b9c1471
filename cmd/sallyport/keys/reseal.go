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
	// patience is how long AwaitNewest waits at most.
	patience = 3 * time.Minute
)

// Rewrap seals all keys under the first key-encryption key, in one transaction. It returns
// how many it changed, and the name of that key.
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

// ResealData writes every stored secret again under the newest keys, as soon as every
// server uses them. It reports its progress.
func (m *Manager) ResealData(ctx context.Context, batch int, report func(format string, args ...any)) error {
	if err := m.AwaitNewest(ctx, report); err != nil {
		return err
	}
	written, broken, moved := 0, 0, 0
	last := relational.ResealProgress{}
	account := func() { written, broken = written+last.Written, broken+last.Broken }
	err := m.Store.Reseal(ctx, batch, func(at relational.ResealProgress) {
		if at.Column != last.Column {
			account()
		}
		last = at
		report("%s: %d read, %d resealed, %d do not open", at.Column, at.Read, at.Written, at.Broken)
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
		return fmt.Errorf("%d values do not open under any key and were not changed; the log names their places", broken)
	}
	return nil
}

// AwaitNewest waits until every server uses the newest data and hash keys: resealing would
// miss what a server still writes under the old ones.
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
	// By then no server, whatever its clock, seals under the key before.
	wait := newest.Add(seal.Settle + m.MaxSkew).Sub(m.Now())
	if wait <= 0 || several["data"] < 2 && several["hash"] < 2 {
		return nil
	}
	if wait > patience {
		return fmt.Errorf("the newest key is used from %s on; try again then", cli.Time(newest))
	}
	report("Waiting %s until every server uses the newest keys.", wait.Round(time.Second))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return errors.New("stopped")
	}
	return m.Load(ctx)
}
