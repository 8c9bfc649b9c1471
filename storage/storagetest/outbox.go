package storagetest

import (
	"sync"
	"time"

	"sallyport/storage"
)

// post stores messages as a step does.
func (w *fixture) post(ms ...storage.Message) {
	w.Helper()
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Messages: ms}))
}

// leased leases the due messages.
func (w *fixture) leased(now time.Time) []storage.Message {
	w.Helper()
	got, err := w.s.LeaseMessages(w.ctx, now, time.Minute, 100)
	w.ok(err)
	return got
}

func outbox(w *fixture) {
	w.test("a message is leased when due, and again when the lease has ended", func(w *fixture) {
		m := w.message()
		m.NextAt = w.now.Add(time.Second)
		w.post(m)
		same(w, len(w.leased(w.now)), 0)
		got := w.leased(m.NextAt)
		same(w, len(got), 1)
		want := m
		want.Attempts, want.NextAt = 1, m.NextAt.Add(time.Minute)
		same(w, got[0], want)
		same(w, len(w.leased(m.NextAt)), 0)
		got = w.leased(want.NextAt)
		same(w, len(got), 1)
		same(w, got[0].Attempts, 2)
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, OK: true, Now: w.now}))
		same(w, len(w.leased(w.now.Add(30*time.Minute))), 0)
		w.is(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, OK: true, Now: w.now}), storage.ErrConflict)
		w.is(w.s.SettleMessage(w.ctx, storage.Delivery{ID: "x", OK: true, Now: w.now}), storage.ErrConflict)
	})
	w.test("a failed message is leased again later, a dead or expired one never", func(w *fixture) {
		again, dead, late := w.message(), w.message(), w.message()
		late.ExpiresAt = w.now
		w.post(again, dead, late)
		same(w, len(w.leased(w.now)), 2)
		next := w.now.Add(10 * time.Minute)
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: again.ID, NextAt: next, Error: "refused", Now: w.now}))
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: dead.ID, Dead: true, Error: "gone", Now: w.now}))
		same(w, len(w.leased(next.Add(-time.Microsecond))), 0)
		got := w.leased(next)
		same(w, len(got), 1)
		same(w, got[0].ID, again.ID)
		same(w, got[0].LastError, "refused")
		all, err := w.s.ListMessages(w.ctx, 1000)
		w.ok(err)
		for _, m := range all {
			if m.ID == dead.ID && (m.DeadAt != w.now || m.LastError != "gone") {
				w.Errorf("dead letter is %+v", m)
			}
		}
	})
	w.test("waiting, retrying and dead messages are counted", func(w *fixture) {
		before, err := w.s.OutboxState(w.ctx, w.now)
		w.ok(err)
		later := w.now.Add(3 * time.Hour) // messages of other tests have expired by then
		waits, again, dead, late := w.message(), w.message(), w.message(), w.message()
		waits.CreatedAt, waits.ExpiresAt, waits.NextAt = w.now.Add(-time.Hour), later.Add(time.Hour), later.Add(time.Minute)
		again.ExpiresAt, dead.ExpiresAt = later.Add(time.Hour), later.Add(time.Hour)
		late.ExpiresAt = later
		w.post(waits, again, dead, late)
		w.leased(w.now)
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: dead.ID, Dead: true, Now: w.now}))
		got, err := w.s.OutboxState(w.ctx, later)
		w.ok(err)
		same(w, got, storage.OutboxState{Waiting: 2, Retrying: 1, Dead: before.Dead + 1, Oldest: waits.CreatedAt})
	})
	w.test("concurrent servers lease each message once", racingLeases)
}

func racingLeases(w *fixture) {
	// Drain messages of other tests first.
	later := w.now.Add(2 * time.Hour)
	for len(w.leased(later)) > 0 {
	}
	const n = 40
	for range n {
		m := w.message()
		m.NextAt, m.ExpiresAt = later, later.Add(time.Hour)
		w.post(m)
	}
	var mu sync.Mutex
	seen := map[storage.MessageID]int{}
	same(w, w.winners(racers, func(int) error {
		got, err := w.s.LeaseMessages(w.ctx, later, time.Minute, 10)
		mu.Lock()
		defer mu.Unlock()
		for _, m := range got {
			seen[m.ID]++
		}
		return err
	}), racers)
	for range n { // concurrent callers may have got fewer than ten
		got, err := w.s.LeaseMessages(w.ctx, later, time.Minute, 10)
		w.ok(err)
		for _, m := range got {
			seen[m.ID]++
		}
	}
	same(w, len(seen), n)
	for id, times := range seen {
		if times != 1 {
			w.Errorf("message %s was leased %d times", id, times)
		}
	}
}
