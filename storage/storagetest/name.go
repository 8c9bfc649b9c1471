package storagetest

import (
	"time"

	"sallyport/storage"
)

// names tests counters of names, of which one user may have several.
func names(w *fixture) {
	schedule := storage.Schedule{Free: 1, First: time.Minute, Cap: time.Hour, Forget: 24 * time.Hour}
	w.test("the wait of a name is reported, that of its user's counter is not", func(w *fixture) {
		user, one, other := w.counter("password", schedule), w.counter("password", schedule), w.counter("password", schedule)
		try := func(name storage.Throttle, now time.Time) (storage.Refusal, error) {
			return w.s.CountAttempt(w.ctx, storage.Attempt{Throttles: []storage.Throttle{user}, Name: &name, Now: now})
		}
		for range 2 {
			refusal, err := try(one, w.now)
			w.ok(err)
			same(w, refusal, storage.Refusal{})
			w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Name: &one, Now: w.now}))
		}
		refusal, err := try(one, w.now)
		w.is(err, storage.ErrConflict)
		same(w, refusal, storage.Refusal{Bucket: "password", Until: w.now.Add(time.Minute), First: true})
		for range 2 { // counted for this name: the attempt must fail, without a reported wait
			refusal, err = try(other, w.now)
			w.ok(err)
			same(w, refusal, storage.Refusal{Bucket: "password"})
			w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Name: &other, Now: w.now}))
		}
		_, err = try(other, w.now)
		w.is(err, storage.ErrConflict)
		waits, err := w.s.Waits(w.ctx, []storage.ThrottleKey{user.Key}, w.now)
		w.ok(err)
		same(w, waits, []storage.Refusal{{Bucket: "password", Until: w.now.Add(time.Minute), Since: w.now}}) // as if the other name had not been tried
		refusal, err = try(other, w.now.Add(time.Minute))
		w.ok(err)
		same(w, refusal, storage.Refusal{})
	})
	w.test("a waiting name refuses an attempt before anything is counted", func(w *fixture) {
		user, name := w.counter("password", storage.Schedule{Max: 1}), w.counter("password", storage.Schedule{Max: 1})
		w.ok(w.s.CountFailure(w.ctx, storage.Attempt{Name: &name, Now: w.now}))
		_, err := w.s.CountAttempt(w.ctx, storage.Attempt{Throttles: []storage.Throttle{user}, Name: &name, Now: w.now})
		w.is(err, storage.ErrConflict)
		refusal, err := w.count(w.now, user)
		w.ok(err)
		same(w, refusal, storage.Refusal{})
	})
	w.test("an exchange is counted even if the counter of its user refuses", func(w *fixture) {
		user, name := w.counter("passwordless", storage.Schedule{Max: 1}), w.counter("passwordless", schedule)
		_, err := w.count(w.now, user)
		w.ok(err)
		s := w.initiated(w.opened(), w.addUser())
		for range 3 {
			refusal, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 3, Throttles: []storage.Throttle{user}, Name: &name, Now: w.now})
			w.ok(err)
			same(w, refusal, storage.Refusal{Bucket: "passwordless"})
		}
		_, err = w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 3, Throttles: []storage.Throttle{user}, Name: &name, Now: w.now})
		w.is(err, storage.ErrConflict)
	})
	w.test("concurrent attempts by several names never exceed the user's counter", func(w *fixture) {
		user := w.counter("password", storage.Schedule{Free: 4, First: time.Minute, Cap: time.Hour})
		names := []storage.Throttle{w.counter("password", schedule), w.counter("password", schedule), w.counter("password", schedule)}
		same(w, w.winners(50, func(i int) error {
			refusal, err := w.s.CountAttempt(w.ctx, storage.Attempt{Throttles: []storage.Throttle{user}, Name: &names[i%3], Now: w.now})
			if err == nil && refusal != (storage.Refusal{}) {
				err = storage.ErrConflict
			}
			return err
		}), 5)
	})
	w.test("a request remembers each name once, up to the bound", func(w *fixture) {
		r := w.request(w.opened())
		name := func(i int) []byte { return append(make([]byte, 15), byte(i)) }
		for range 2 {
			for i := range 3 {
				w.ok(w.s.RememberName(w.ctx, r.ID, name(i), 3, w.now))
			}
		}
		w.is(w.s.RememberName(w.ctx, r.ID, name(3), 3, w.now), storage.ErrConflict)
		got, _, err := w.s.Request(w.ctx, r.ID, "", w.now)
		w.ok(err)
		same(w, got.Names, [][]byte{name(0), name(1), name(2)})
		same(w, got.Version, r.Version)
		w.is(w.s.RememberName(w.ctx, r.ID, name(0), 3, w.now.Add(1000*time.Hour)), storage.ErrConflict)
		begin := func(name []byte, most int) error {
			s := w.newStatus(r.ID, w.addUser())
			return w.s.Initiate(w.ctx, storage.NewStatus{Status: s, MaxInitiations: 20, Name: name, MaxNames: most}, w.now)
		}
		w.ok(begin(name(1), 3))
		w.is(begin(name(3), 3), storage.ErrConflict)
		w.ok(begin(name(3), 4))
		got, _, err = w.s.Request(w.ctx, r.ID, "", w.now)
		w.ok(err)
		same(w, len(got.Names), 4)
		same(w, got.Initiations, 2)
	})
	w.test("concurrent names never exceed the bound", func(w *fixture) {
		r := w.request(w.opened())
		same(w, w.winners(50, func(i int) error {
			return w.s.RememberName(w.ctx, r.ID, append(make([]byte, 15), byte(i)), 5, w.now)
		}), 5)
	})
	w.test("a detached login has the names of its request", func(w *fixture) {
		r := w.request(w.opened())
		w.ok(w.s.RememberName(w.ctx, r.ID, make([]byte, 16), 5, w.now))
		r, _, err := w.s.Request(w.ctx, r.ID, "", w.now)
		w.ok(err)
		n := w.loginOf(r, w.addUser())
		n.Login.Names = r.Names
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Login: &n}))
		got, _, err := w.s.RequestByTrack(w.ctx, n.Track, w.now)
		w.ok(err)
		same(w, got.Names, r.Names)
	})
}
