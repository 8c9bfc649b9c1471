package storagetest

import (
	"fmt"
	"sync/atomic"
	"time"

	"sallyport/storage"
)

func (w *fixture) counter(bucket string, s storage.Schedule) storage.Throttle {
	return storage.Throttle{Key: storage.ThrottleKey{Bucket: bucket, Subject: []byte(random[string]())}, Schedule: s}
}

// secondFactor returns the schedule of rule T-1.
func secondFactor() storage.Schedule {
	return storage.Schedule{Free: 4, First: 30 * time.Second, Cap: time.Hour, Max: 100}
}

func (w *fixture) count(now time.Time, ts ...storage.Throttle) (storage.Refusal, error) {
	return w.s.CountAttempt(w.ctx, storage.Attempt{Throttles: ts, Now: now})
}

func throttles(w *fixture) {
	w.test("after the free failures the wait doubles up to its cap", doublingWaits)
	w.test("after the last failure waiting does not help", func(w *fixture) {
		c := w.counter("factor", storage.Schedule{Free: 1, First: time.Second, Cap: time.Second, Max: 3})
		now := w.now
		for range 3 {
			_, err := w.count(now, c)
			w.ok(err)
			now = now.Add(time.Minute)
		}
		refusal, err := w.count(now.Add(1000*time.Hour), c)
		w.is(err, storage.ErrConflict)
		same(w, refusal, storage.Refusal{Bucket: "factor", First: true})
		waits, err := w.s.Waits(w.ctx, []storage.ThrottleKey{c.Key}, now.Add(1000*time.Hour))
		w.ok(err)
		same(w, waits, []storage.Refusal{{Bucket: "factor", Since: now.Add(-time.Minute)}})
		w.ok(w.s.ResetThrottle(w.ctx, []storage.ThrottleKey{c.Key}, nil))
		_, err = w.count(now, c)
		w.ok(err)
	})
	w.test("a forgotten counter restarts", func(w *fixture) {
		c := w.counter("password", storage.Schedule{Free: 1, First: time.Hour, Cap: time.Hour, Max: 2, Forget: 24 * time.Hour})
		for range 2 {
			_, err := w.count(w.now, c)
			w.ok(err)
		}
		_, err := w.count(w.now.Add(23*time.Hour), c)
		w.is(err, storage.ErrConflict)
		for range 2 {
			_, err = w.count(w.now.Add(24*time.Hour), c)
			w.ok(err)
		}
		_, err = w.count(w.now.Add(24*time.Hour), c)
		w.is(err, storage.ErrConflict)
	})
	w.test("a fixed window begins with its first failure, and with its wait", fixedWindow)
	movedCounters(w)
	w.test("if one counter refuses, none counts", func(w *fixture) {
		full, other := w.counter("factor", storage.Schedule{Max: 1}), w.counter("a", storage.Schedule{Max: 2})
		_, err := w.count(w.now, full)
		w.ok(err)
		for range 3 {
			refusal, err := w.count(w.now, other, full)
			w.is(err, storage.ErrConflict)
			same(w, refusal.Bucket, "factor")
		}
		for range 2 {
			_, err = w.count(w.now, other)
			w.ok(err)
		}
	})
	w.test("concurrent attempts never exceed the free failures", func(w *fixture) {
		c := w.counter("factor", secondFactor())
		same(w, w.winners(50, func(int) error {
			_, err := w.count(w.now, c)
			return err
		}), 5)
	})
	w.test("WouldRefuse reports without counting", wouldRefuse)
	w.test("one refusal of a wait is the first", waitsReportedOnce)
	w.test("Waits returns the counters that refuse now", func(w *fixture) {
		waiting, free := w.counter("password", storage.Schedule{First: time.Minute, Cap: time.Minute}), w.counter("factor", secondFactor())
		_, err := w.count(w.now, waiting, free)
		w.ok(err)
		keys := []storage.ThrottleKey{waiting.Key, free.Key, w.counter("x", secondFactor()).Key}
		got, err := w.s.Waits(w.ctx, keys, w.now)
		w.ok(err)
		same(w, got, []storage.Refusal{{Bucket: "password", Until: w.now.Add(time.Minute), Since: w.now}})
		got, err = w.s.Waits(w.ctx, keys, w.now.Add(time.Minute))
		w.ok(err)
		same(w, len(got), 0)
		e := w.event(person{})
		w.ok(w.s.ResetThrottle(w.ctx, keys, []storage.Event{e}))
		same(w, w.logged(e), true)
	})
}

// fixedWindow tests the schedule of wrong client secrets.
func fixedWindow(w *fixture) {
	const window = 10 * time.Minute
	s := storage.Schedule{Free: 2, First: window, Cap: window, Forget: window, Fixed: true}
	c, apart, raced := w.counter("client_secret", s), w.counter("client_secret", s), w.counter("client_secret", s)
	for i := range 20 { // two in each window, forever
		_, err := w.count(w.now.Add(time.Duration(i)*9*time.Minute), apart)
		w.ok(err)
	}
	for _, at := range []time.Duration{0, time.Minute, 9 * time.Minute} {
		_, err := w.count(w.now.Add(at), c)
		w.ok(err)
	}
	for n, at := range []time.Duration{9 * time.Minute, window, 19*time.Minute - time.Microsecond} {
		refusal, err := w.count(w.now.Add(at), c)
		w.is(err, storage.ErrConflict)
		same(w, refusal, storage.Refusal{Bucket: "client_secret", Until: w.now.Add(19 * time.Minute), First: n == 0})
	}
	for range 3 {
		_, err := w.count(w.now.Add(19*time.Minute), c)
		w.ok(err)
	}
	_, err := w.count(w.now.Add(19*time.Minute), c)
	w.is(err, storage.ErrConflict)
	raced.Schedule.Free = 19
	same(w, w.winners(50, func(int) error {
		_, err := w.count(w.now, raced)
		return err
	}), 20)
	// A right secret reverts only its own count: one more is free again.
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Forgive: []storage.ThrottleKey{raced.Key}}))
	same(w, w.winners(50, func(int) error {
		_, err := w.count(w.now, raced)
		return err
	}), 1)
}

func movedCounters(w *fixture) {
	w.test("moved counters keep every failure and the longer wait, despite concurrent counts and moves", func(w *fixture) {
		schedule := storage.Schedule{Free: 1000}
		from, to := w.counter("factor", schedule), w.counter("factor", schedule)
		moves := []storage.SubjectMove{{From: from.Key.Subject, To: to.Key.Subject}}
		same(w, w.winners(racers, func(i int) error {
			switch i % 4 {
			case 0:
				_, err := w.s.MoveThrottles(w.ctx, []string{"password", "factor"}, moves)
				return err
			case 1:
				_, err := w.count(w.now, to)
				return err
			}
			_, err := w.count(w.now, from)
			return err
		}), racers)
		_, err := w.s.MoveThrottles(w.ctx, []string{"factor"}, moves)
		w.ok(err)
		n, err := w.s.MoveThrottles(w.ctx, []string{"factor"}, moves)
		w.ok(err)
		same(w, n, 0)
		counted := racers - (racers+3)/4
		to.Schedule = storage.Schedule{Free: 1000, Max: counted}
		refusal, err := w.count(w.now, to)
		w.is(err, storage.ErrConflict)
		same(w, refusal, storage.Refusal{Bucket: "factor", First: true})
		to.Schedule.Max++
		_, err = w.count(w.now, to)
		w.ok(err)
	})
	w.test("a counter of another bucket does not move", func(w *fixture) {
		from, to := w.counter("device", storage.Schedule{Max: 1}), w.counter("device", storage.Schedule{Max: 1})
		_, err := w.count(w.now, from)
		w.ok(err)
		n, err := w.s.MoveThrottles(w.ctx, []string{"factor"}, []storage.SubjectMove{{From: from.Key.Subject, To: to.Key.Subject}})
		w.ok(err)
		same(w, n, 0)
		_, err = w.count(w.now, from)
		w.is(err, storage.ErrConflict)
	})
}

// schedule counts failures, each as early as allowed, and checks the waits.
func (w *fixture) schedule(c storage.Throttle, waits []time.Duration) {
	w.Helper()
	now := w.now
	for i, wait := range waits {
		if _, err := w.count(now, c); err != nil {
			w.Fatalf("failure %d: %v", i+1, err)
		}
		if wait == 0 {
			continue
		}
		// Attempts during a wait are refused and do not extend it.
		for n, early := range []time.Duration{0, wait / 2, wait - time.Microsecond} {
			refusal, err := w.count(now.Add(early), c)
			w.is(err, storage.ErrConflict)
			if want := (storage.Refusal{Bucket: c.Key.Bucket, Until: now.Add(wait), First: n == 0}); refusal != want {
				w.Fatalf("after failure %d: got %v, want %v", i+1, refusal, want)
			}
		}
		now = now.Add(wait)
	}
}

// onceAWait runs concurrent callers against a waiting counter: one refusal per wait is the
// first.
func (w *fixture) onceAWait(c storage.Throttle, a *storage.AddressThrottle, begin func(now time.Time), length time.Duration) {
	w.Helper()
	for wait := range 3 {
		now := w.now.Add(time.Duration(wait) * length)
		begin(now)
		var first atomic.Int64
		same(w, w.winners(50, func(i int) error {
			attempt, ask := storage.Attempt{Address: a, Now: now}, w.s.CountAttempt
			if c.Key.Bucket != "" {
				attempt.Throttles = []storage.Throttle{c}
			}
			if i%2 == 1 {
				ask = w.s.WouldRefuse
			}
			refusal, err := ask(w.ctx, attempt)
			if refusal.First {
				first.Add(1)
			}
			return err
		}), 0)
		same(w, first.Load(), 1)
	}
}

func waitsReportedOnce(w *fixture) {
	c := w.counter("password", storage.Schedule{First: time.Minute, Cap: time.Minute, Forget: time.Hour})
	w.onceAWait(c, nil, func(now time.Time) {
		_, err := w.count(now, c)
		w.ok(err)
	}, time.Minute)
	full := w.counter("factor", storage.Schedule{Free: 3, Max: 3})
	for range 3 {
		_, err := w.count(w.now, full)
		w.ok(err)
	}
	refusal, err := w.count(w.now, full)
	w.is(err, storage.ErrConflict)
	same(w, refusal, storage.Refusal{Bucket: "factor", First: true})
	refusal, err = w.count(w.now.Add(1000*time.Hour), full)
	w.is(err, storage.ErrConflict)
	same(w, refusal, storage.Refusal{Bucket: "factor"})
	a := &storage.AddressThrottle{Address: random[string](), Subject: []byte("somebody"), Window: time.Minute, Max: 1}
	w.onceAWait(storage.Throttle{}, a, func(now time.Time) { w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Address: a, Now: now})) }, time.Minute)
}

func addresses(w *fixture) {
	address := func(max, subjects int) *storage.AddressThrottle {
		return &storage.AddressThrottle{Address: random[string](), Window: 10 * time.Minute, Max: max, MaxSubjects: subjects}
	}
	fail := func(w *fixture, a *storage.AddressThrottle, subject int, now time.Time) {
		of := *a
		of.Subject = fmt.Appendf(nil, "%08d of a longer hash", subject)
		w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Address: &of, Now: now}))
	}
	may := func(w *fixture, a *storage.AddressThrottle, now time.Time) (storage.Refusal, error) {
		return w.s.CountAttempt(w.ctx, storage.Attempt{Address: a, Now: now})
	}
	passes := func(w *fixture, a *storage.AddressThrottle, now time.Time) {
		w.Helper()
		_, err := may(w, a, now)
		w.ok(err)
	}
	w.test("an address waits after too many failures within the window", func(w *fixture) {
		a := address(5, 0)
		for i := range 5 {
			passes(w, a, w.now.Add(time.Duration(i)*time.Minute))
			fail(w, a, 1, w.now.Add(time.Duration(i)*time.Minute))
		}
		refusal, err := may(w, a, w.now.Add(5*time.Minute))
		w.is(err, storage.ErrConflict)
		same(w, refusal, storage.Refusal{Bucket: "address", Until: w.now.Add(14 * time.Minute), First: true})
		passes(w, address(5, 0), w.now)
		passes(w, a, w.now.Add(14*time.Minute))
		for range 5 {
			fail(w, a, 1, w.now.Add(14*time.Minute))
		}
		_, err = may(w, a, w.now.Add(14*time.Minute))
		w.is(err, storage.ErrConflict)
	})
	w.test("an address waits after failures for too many subjects", func(w *fixture) {
		a := address(0, 3)
		for range 20 {
			for subject := range 3 {
				fail(w, a, subject, w.now)
			}
		}
		passes(w, a, w.now)
		fail(w, a, 3, w.now)
		_, err := may(w, a, w.now)
		w.is(err, storage.ErrConflict)
	})
	w.test("failures without a subject count as failures but not as subjects", func(w *fixture) {
		a, of := address(30, 1), address(30, 1)
		of.Address, of.Subject = a.Address, nil
		fail(w, a, 1, w.now)
		for range 28 {
			w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Address: of, Now: w.now}))
		}
		passes(w, a, w.now)
		w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Address: of, Now: w.now}))
		_, err := may(w, a, w.now)
		w.is(err, storage.ErrConflict)
	})
	w.test("failures of an earlier window do not count", func(w *fixture) {
		a := address(2, 0)
		for i := range 10 {
			fail(w, a, 1, w.now.Add(time.Duration(i)*10*time.Minute))
			passes(w, a, w.now.Add(time.Duration(i)*10*time.Minute))
		}
	})
	w.test("attempts are not counted in their address", func(w *fixture) {
		a := address(1, 0)
		for range 20 {
			passes(w, a, w.now)
		}
	})
	w.test("a waiting address refuses an attempt before any counter counts it", func(w *fixture) {
		a, c := address(1, 0), w.counter("factor", storage.Schedule{Max: 1})
		fail(w, a, 1, w.now)
		refusal, err := w.s.CountAttempt(w.ctx, storage.Attempt{Address: a, Throttles: []storage.Throttle{c}, Now: w.now})
		w.is(err, storage.ErrConflict)
		same(w, refusal.Bucket, "address")
		_, err = w.count(w.now, c)
		w.ok(err)
	})
	w.test("failures during the wait do not lengthen it", func(w *fixture) {
		a := address(1, 0)
		fail(w, a, 1, w.now)
		fail(w, a, 2, w.now.Add(9*time.Minute))
		_, err := may(w, a, w.now.Add(10*time.Minute-time.Microsecond))
		w.is(err, storage.ErrConflict)
		passes(w, a, w.now.Add(10*time.Minute))
	})
	w.test("a success takes back the failures of its cause, and no others", func(w *fixture) { takesBack(w, address(6, 3), may) })
	w.test("no concurrent failure is lost", func(w *fixture) {
		a := address(51, 0)
		same(w, w.winners(50, func(i int) error {
			of := *a
			of.Subject = fmt.Appendf(nil, "%08d of a longer hash", i)
			return w.s.CountFailure(w.ctx, storage.Attempt{Address: &of, Now: w.now})
		}), 50)
		passes(w, a, w.now)
		fail(w, a, 1, w.now)
		_, err := may(w, a, w.now)
		w.is(err, storage.ErrConflict)
	})
}

func doublingWaits(w *fixture) {
	schedules := map[string]struct {
		storage.Schedule
		waits []time.Duration // after failure 1, 2, 3...
	}{
		"second factor": {secondFactor(), []time.Duration{0, 0, 0, 0, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute,
			8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour, time.Hour}},
		"password": {storage.Schedule{Free: 4, First: 30 * time.Second, Cap: 15 * time.Minute}, []time.Duration{0, 0, 0, 0,
			30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute}},
		"from the first":      {storage.Schedule{First: time.Second, Cap: 3 * time.Second}, []time.Duration{1e9, 2e9, 3e9, 3e9}},
		"cap below the first": {storage.Schedule{Free: 1, First: time.Minute, Cap: time.Second}, []time.Duration{0, 1e9, 1e9}},
		"without any wait":    {storage.Schedule{Free: 2}, []time.Duration{0, 0, 0, 0, 0}},
	}
	for name, s := range schedules {
		w.test(name, func(w *fixture) { w.schedule(w.counter("factor", s.Schedule), s.waits) })
	}
}
