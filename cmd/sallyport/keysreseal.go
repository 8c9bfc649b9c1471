package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
)

const (
	resealBatch = 500
	// resealWait is after the activation of a key: then no server, whatever its clock,
	// seals under the one before it.
	resealWait = seal.Settle + skewServing
	// patience is how long reseal waits for that by itself.
	patience = 3 * time.Minute
)

func keysReseal(ctx context.Context, p *program, args []string) error {
	f := p.flags("keys reseal", "seal every key under the first key-encryption key of the key file")
	data := f.Bool("data", false, "also write every stored secret anew under the newest data key, and recovery codes and counters under the newest hash key")
	batch := f.Int("batch", resealBatch, "rows of one step of --data, 1 to 1000")
	c, err := p.settings(f, args, 0)
	if err != nil {
		return err
	}
	if *batch < 1 || *batch > 1000 {
		return usageError{"keys reseal: --batch must be from 1 to 1000"}
	}
	h, err := p.openKeys(ctx, c)
	if err != nil {
		return err
	}
	defer h.close()
	if err := p.rewrap(ctx, h); err != nil {
		return fmt.Errorf("reseal: %w", err)
	}
	if !*data {
		return nil
	}
	if err := p.resealData(ctx, h, *batch); err != nil {
		return fmt.Errorf("reseal: %w", err)
	}
	return nil
}

// rewrap seals all keys under the first key-encryption key, in one transaction.
func (p *program) rewrap(ctx context.Context, h *house) error {
	var kek string
	change, err := h.changeKeys(ctx, func(_ []storage.Key, now time.Time) (storage.KeyChange, error) {
		// A server whose clock is behind still opens a key that has just expired.
		rows, err := h.store.Keys(ctx, now.Add(-time.Hour))
		if err != nil {
			return storage.KeyChange{}, fmt.Errorf("read keys: %w", err)
		}
		var c storage.KeyChange
		for _, row := range rows {
			k, err := h.keyring.Rewrap(row)
			if err != nil {
				return storage.KeyChange{}, err
			}
			if kek = k.KEK; row.KEK == kek {
				continue
			}
			c.Change = append(c.Change, k)
			c.Events = append(c.Events, h.told(mfa.EventKeysRewrapped, "admin", k, "from", row.KEK, "to", k.KEK))
		}
		return c, nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "Keys: %d sealed anew, all are under key-encryption key %q now. No server needs another line of the key file; backups made before do.\n", len(change.Change), kek)
	return nil
}

func (p *program) resealData(ctx context.Context, h *house, batch int) error {
	if err := p.awaitNewest(ctx, h); err != nil {
		return err
	}
	written, broken, moved := 0, 0, 0
	last := relational.ResealProgress{}
	account := func() { written, broken = written+last.Written, broken+last.Broken }
	err := h.store.Reseal(ctx, batch, func(at relational.ResealProgress) {
		if at.Column != last.Column {
			account()
		}
		last = at
		fmt.Fprintf(p.out, "%s: %d read, %d written anew, %d do not open\n", at.Column, at.Read, at.Written, at.Broken)
	})
	account()
	if err == nil {
		err = throttle.MoveCounters(ctx, h.store, h.keyring, batch, func(users, n int) {
			moved = n
			fmt.Fprintf(p.out, "counters: %d users, %d moved\n", users, moved)
		})
	}
	if err != nil {
		return err
	}
	event := h.journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventKeysResealed, Actor: "admin", Detail: map[string]string{
		"written": strconv.Itoa(written), "broken": strconv.Itoa(broken), "counters": strconv.Itoa(moved)}})
	if err := h.store.AppendEvents(ctx, []storage.Event{event}); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if broken > 0 {
		return fmt.Errorf("%d values do not open under any key and were left as they are; the log names their places", broken)
	}
	fmt.Fprintln(p.out, "Every stored secret is under the newest keys. Retired keys of use data and hash can go: sallyport keys retire ID.")
	return nil
}

// awaitNewest waits until every server uses the newest data and hash keys: what one
// would still write under the old ones would be forgotten.
func (p *program) awaitNewest(ctx context.Context, h *house) error {
	newest, several := time.Time{}, map[string]int{}
	for _, k := range h.keyring.Rows() {
		if k.Use != "data" && k.Use != "hash" {
			continue
		}
		several[k.Use]++
		if k.ActiveAt.After(newest) {
			newest = k.ActiveAt
		}
	}
	left := newest.Add(resealWait).Sub(h.now())
	if left <= 0 || several["data"] < 2 && several["hash"] < 2 {
		return nil
	}
	if left > patience {
		return fmt.Errorf("the newest key is used from %s on; try again then", stamp(newest))
	}
	fmt.Fprintf(p.out, "Waiting %s until every server uses the newest keys.\n", left.Round(time.Second))
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return errors.New("stopped")
	}
	return h.reloadKeys(ctx)
}
