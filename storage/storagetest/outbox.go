package storagetest

import (
	"errors"
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
	got, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: "mail", Now: now, For: time.Minute, Limit: 100})
	w.ok(err)
	return got
}

// leasedOne leases the due messages, of which one must be this one, and returns it.
func (w *fixture) leasedOne(now time.Time, id storage.MessageID) storage.Message {
	w.Helper()
	for _, m := range w.leased(now) {
		if m.ID == id {
			return m
		}
	}
	w.Fatalf("message %s is not due", id)
	return storage.Message{}
}

func outbox(w *fixture) {
	w.test("messages without another cause are stored as far as their counter allows", func(w *fixture) {
		limit := within(3)
		put := func(int) error {
			return w.s.PutMessages(w.ctx, []storage.Message{w.message()}, []storage.Throttle{limit}, w.now)
		}
		same(w, w.winners(racers, put), 3)
		refused, ok := errors.AsType[*storage.RefusedError](put(0))
		if !ok || refused.Bucket != "send" {
			w.Fatalf("got %+v, want a refusal by the counter", refused)
		}
		got, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: "mail", Now: w.now, For: time.Minute, Limit: 100})
		w.ok(err)
		same(w, len(got), 3)
		for _, m := range got {
			w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 1, OK: true, Now: w.now}))
		}
	})
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
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 2, OK: true, Now: w.now}))
		same(w, len(w.leased(w.now.Add(30*time.Minute))), 0)
		w.is(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 2, OK: true, Now: w.now}), storage.ErrConflict)
		w.is(w.s.SettleMessage(w.ctx, storage.Delivery{ID: "x", Attempt: 1, OK: true, Now: w.now}), storage.ErrConflict)
	})
	w.test("a failed message is leased again later, a dead or expired one never", func(w *fixture) {
		again, dead, late := w.message(), w.message(), w.message()
		late.ExpiresAt = w.now
		w.post(again, dead, late)
		same(w, len(w.leased(w.now)), 2)
		next := w.now.Add(10 * time.Minute)
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: again.ID, Attempt: 1, NextAt: next, Error: "refused", Now: w.now}))
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: dead.ID, Attempt: 1, Dead: true, Error: "gone", Now: w.now}))
		same(w, len(w.leased(next.Add(-time.Microsecond))), 0)
		got := w.leased(next)
		same(w, len(got), 1)
		same(w, got[0].ID, again.ID)
		same(w, got[0].LastError, "refused")
		if m := w.read(dead.ID); m.DeadAt != w.now || m.LastError != "gone" {
			w.Errorf("dead letter is %+v", m)
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
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: dead.ID, Attempt: 1, Dead: true, Now: w.now}))
		got, err := w.s.OutboxState(w.ctx, later)
		w.ok(err)
		same(w, got, storage.OutboxState{Waiting: 2, Retrying: 1, Dead: before.Dead + 1, Oldest: waits.CreatedAt})
	})
	w.test("a lease is of one kind, and of no more than its limit", func(w *fixture) {
		sms := w.message()
		sms.Kind = "sms"
		w.post(sms, w.message(), w.message())
		got, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: "sms", Now: w.now, For: time.Minute, Limit: 1})
		w.ok(err)
		same(w, len(got), 1)
		same(w, got[0].ID, sms.ID)
		got, err = w.s.LeaseMessages(w.ctx, storage.Lease{Kind: "mail", Now: w.now, For: time.Minute, Limit: 1})
		w.ok(err)
		same(w, len(got), 1)
	})
	w.test("a message whose lease ended without an outcome is interrupted", interruptedLease)
	w.test("a message that is resent is not interrupted", func(w *fixture) {
		m := w.message()
		w.post(m)
		w.leased(w.now)
		later := w.now.Add(time.Minute) // the lease ended without an outcome
		w.ok(w.s.ResendMessage(w.ctx, m.ID, later, later.Add(time.Hour), nil))
		w.is(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 1, OK: true, Now: later}), storage.ErrConflict)
		same(w, w.leasedOne(later, m.ID).Interrupted, false)
	})
	w.test("only the current lease is settled", onlyTheCurrentLease)
	w.test("one of two settlements of a lease counts", func(w *fixture) {
		m := w.message()
		w.post(m)
		w.leased(w.now)
		w.one(racers, func(i int) error {
			return w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 1, OK: i%2 == 0, NextAt: w.now, Now: w.now})
		})
	})
	w.test("a delivered message has lost its data, a dead one not", func(w *fixture) {
		sent, dead := w.message(), w.message()
		w.post(sent, dead)
		w.leased(w.now)
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: sent.ID, Attempt: 1, OK: true, Now: w.now}))
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: dead.ID, Attempt: 1, Dead: true, Error: "550", Now: w.now}))
		got := w.read(sent.ID)
		same(w, len(got.Data), 0)
		same(w, got.DeliveredAt, w.now)
		got = w.read(dead.ID)
		same(w, got.Data, dead.Data)
		same(w, got.LastError, "550")
		_, err := w.s.Message(w.ctx, ordered[storage.MessageID](w.now))
		w.is(err, storage.ErrNotFound)
		_, err = w.s.Message(w.ctx, "x")
		w.is(err, storage.ErrNotFound)
	})
	w.test("an expired message is given up, a leased one not before its lease ends", expiry)
	w.test("messages are removed a week after their end", func(w *fixture) {
		sent, dead, waits := w.message(), w.message(), w.message()
		waits.ExpiresAt, waits.NextAt = time.Time{}, w.now.Add(1000*time.Hour)
		w.post(sent, dead, waits)
		w.leased(w.now)
		end := w.now.Add(time.Hour)
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: sent.ID, Attempt: 1, OK: true, Now: end}))
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: dead.ID, Attempt: 1, Dead: true, Now: end}))
		_, err := w.s.Sweep(w.ctx, end.Add(7*24*time.Hour-time.Microsecond), 1000)
		w.ok(err)
		same(w, w.there(sent.ID, dead.ID, waits.ID), 3)
		_, err = w.s.Sweep(w.ctx, end.Add(7*24*time.Hour), 1000)
		w.ok(err)
		same(w, w.there(sent.ID, dead.ID), 0)
		same(w, w.there(waits.ID), 1)
	})
	w.test("concurrent servers lease each message once", racingLeases)
}

// read reads a message, which must exist.
func (w *fixture) read(id storage.MessageID) storage.Message {
	w.Helper()
	m, err := w.s.Message(w.ctx, id)
	w.ok(err)
	return m
}

// there counts the messages that exist.
func (w *fixture) there(ids ...storage.MessageID) int {
	w.Helper()
	n := 0
	for _, id := range ids {
		if _, err := w.s.Message(w.ctx, id); err == nil {
			n++
		}
	}
	return n
}

func interruptedLease(w *fixture) {
	m := w.message()
	w.post(m)
	same(w, w.leasedOne(w.now, m.ID).Interrupted, false)
	now := w.now.Add(time.Minute)
	for attempt := 2; attempt <= 3; attempt++ { // twice in a row
		got := w.leasedOne(now, m.ID)
		same(w, got.Interrupted, true)
		same(w, got.Attempts, attempt)
		now = now.Add(time.Minute)
	}
	w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 3, NextAt: now, Error: "refused", Now: now}))
	same(w, w.leasedOne(now, m.ID).Interrupted, false) // its last outcome is known
	w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 4, OK: true, Now: now}))
}

func onlyTheCurrentLease(w *fixture) {
	m := w.message()
	w.post(m)
	w.leased(w.now)
	later := w.now.Add(time.Minute)
	w.leased(later)
	old := storage.Delivery{ID: m.ID, Attempt: 1, OK: true, Now: later}
	w.is(w.s.SettleMessage(w.ctx, old), storage.ErrConflict)
	same(w, w.read(m.ID).DeliveredAt.IsZero(), true)
	retry := storage.Delivery{ID: m.ID, Attempt: 2, NextAt: later.Add(time.Minute), Error: "refused", Now: later}
	w.ok(w.s.SettleMessage(w.ctx, retry))
	retry.NextAt = later
	w.is(w.s.SettleMessage(w.ctx, retry), storage.ErrConflict) // one lease has one outcome
	same(w, w.read(m.ID).NextAt, later.Add(time.Minute))
	w.leased(later.Add(time.Minute))
	w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 3, OK: true, Now: later}))
}

func expiry(w *fixture) {
	end := w.now.Add(100 * time.Hour) // messages of other tests have expired by then
	_, err := w.s.ExpireMessages(w.ctx, end, 1000)
	w.ok(err)
	waits, tried, leased, never := w.message(), w.message(), w.message(), w.message()
	for _, m := range []*storage.Message{&waits, &tried, &leased, &never} {
		m.NextAt, m.ExpiresAt = end, end.Add(time.Second)
	}
	never.ExpiresAt = time.Time{}
	w.post(tried)
	w.leased(end)
	w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: tried.ID, Attempt: 1, NextAt: end.Add(time.Hour), Error: "451", Now: end}))
	w.post(leased)
	w.leased(end)
	w.post(waits, never)
	expire := func(now time.Time) map[storage.MessageID]string {
		got, err := w.s.ExpireMessages(w.ctx, now, 1000)
		w.ok(err)
		out := map[storage.MessageID]string{}
		for _, m := range got {
			out[m.ID] = m.LastError
			same(w, w.read(m.ID).DeadAt, now)
		}
		return out
	}
	same(w, len(expire(end)), 0)
	same(w, expire(end.Add(time.Second)), map[storage.MessageID]string{waits.ID: "expired", tried.ID: "expired: 451"})
	same(w, expire(end.Add(time.Minute)), map[storage.MessageID]string{leased.ID: "expired"})
	w.is(w.s.SettleMessage(w.ctx, storage.Delivery{ID: leased.ID, Attempt: 1, OK: true, Now: end}), storage.ErrConflict)
	same(w, len(w.leased(end.Add(time.Minute))), 1) // the one that never expires
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
		got, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: "mail", Now: later, For: time.Minute, Limit: 10})
		mu.Lock()
		defer mu.Unlock()
		for _, m := range got {
			seen[m.ID]++
		}
		return err
	}), racers)
	for range n { // concurrent callers may have got fewer than ten
		got, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: "mail", Now: later, For: time.Minute, Limit: 10})
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
