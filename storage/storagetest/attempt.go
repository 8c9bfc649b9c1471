package storagetest

import (
	"time"

	"sallyport/storage"
)

func attempts(w *fixture) {
	w.test("concurrent guesses at an exchange never exceed their bound", func(w *fixture) {
		s := w.initiated(w.opened(), w.addUser())
		same(w, w.winners(50, func(int) error {
			_, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 5, Now: w.now})
			return err
		}), 5)
		same(w, w.state(s.ID), storage.StatusFailed)
		refusal, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 5, Now: w.now})
		w.is(err, storage.ErrConflict)
		same(w, refusal, storage.Refusal{})
	})
	w.test("the last attempt may be right, once", func(w *fixture) {
		s := w.initiated(w.opened(), w.addUser())
		for range 3 {
			_, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 3, Now: w.now})
			w.ok(err)
		}
		w.one(racers, func(int) error {
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{
				Exchange: s.Exchange, From: storage.StatusInitiated, To: storage.StatusVerified,
			}})
		})
		same(w, w.state(s.ID), storage.StatusVerified)
	})
	w.test("only an unexpired, initiated exchange counts", func(w *fixture) {
		s, p := w.initiated(w.opened(), w.addUser()), w.counter("factor", storage.Schedule{Max: 1})
		count := func(id storage.ExchangeID, now time.Time) error {
			_, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: id, MaxAttempts: 5, Throttles: []storage.Throttle{p}, Now: now})
			return err
		}
		w.is(count(random[storage.ExchangeID](), w.now), storage.ErrConflict)
		w.is(count(s.Exchange, s.ExpiresAt), storage.ErrConflict)
		w.ok(w.s.CancelStatus(w.ctx, s.Exchange, w.now, nil))
		w.is(count(s.Exchange, w.now), storage.ErrConflict)
		// None of these changed the other counter.
		_, err := w.count(w.now, p)
		w.ok(err)
	})
	w.test("a refusing counter reverts the count of the exchange", func(w *fixture) {
		s, full := w.initiated(w.opened(), w.addUser()), w.counter("factor", storage.Schedule{Max: 1})
		_, err := w.count(w.now, full)
		w.ok(err)
		_, err = w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 5, Throttles: []storage.Throttle{full}, Now: w.now})
		w.is(err, storage.ErrConflict)
		got, err := w.s.Status(w.ctx, s.ID, w.now)
		w.ok(err)
		same(w, got.Attempts, 0)
	})
	w.test("the first attempt may create a status", firstAttempt)
	w.test("the only attempt of a new status may be right", func(w *fixture) {
		n := &storage.NewStatus{Status: w.newStatus(w.opened(), w.addUser()), MaxInitiations: 1}
		_, err := w.s.CountAttempt(w.ctx, storage.Attempt{New: n, MaxAttempts: 1, Now: w.now})
		w.ok(err)
		same(w, w.state(n.Status.ID), storage.StatusFailed)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{
			Exchange: n.Status.Exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed,
		}}))
		same(w, w.state(n.Status.ID), storage.StatusRedeemed)
	})
	w.test("fifty concurrent right codes are one login", rightCodesOnOneExchange)
	w.test("fifty concurrent right codes on as many exchanges are one login", rightCodesOnManyExchanges)
}

// right returns the Spend of a right TOTP code.
func (w *fixture) right(s storage.Status, p person, c storage.Throttle, step int64) storage.Spend {
	return storage.Spend{
		Now:        w.now,
		Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.totp, Step: step},
		Status:     &storage.StatusMove{Exchange: s.Exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed},
		Request: &storage.RequestChange{ID: s.Request, Subject: p.id, Now: w.now, Factor: &storage.Factor{
			Method: "totp", Authenticator: p.totp, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"}, At: w.now,
		}},
		Reset:  []storage.ThrottleKey{c.Key},
		Events: []storage.Event{w.event(p)},
	}
}

func firstAttempt(w *fixture) {
	p, r, e := w.addUser(), w.opened(), w.event(person{})
	n := &storage.NewStatus{Status: w.newStatus(r, p), MaxInitiations: 1, Events: []storage.Event{e}}
	full := w.counter("factor", storage.Schedule{Max: 1})
	_, err := w.count(w.now, full)
	w.ok(err)
	_, err = w.s.CountAttempt(w.ctx, storage.Attempt{New: n, MaxAttempts: 5, Throttles: []storage.Throttle{full}, Now: w.now})
	w.is(err, storage.ErrConflict)
	same(w, w.request(r).Initiations, 0)
	same(w, w.logged(e), false)
	_, err = w.s.CountAttempt(w.ctx, storage.Attempt{New: n, MaxAttempts: 5, Now: w.now})
	w.ok(err)
	got, err := w.s.Status(w.ctx, n.Status.ID, w.now)
	w.ok(err)
	same(w, got.Attempts, 1)
	same(w, got.State, storage.StatusInitiated)
	same(w, w.logged(e), true)
	n.Status = w.newStatus(r, p)
	refusal, err := w.s.CountAttempt(w.ctx, storage.Attempt{New: n, MaxAttempts: 5, Now: w.now})
	w.is(err, storage.ErrConflict)
	same(w, refusal, storage.Refusal{})
}

func rightCodesOnOneExchange(w *fixture) {
	p, r := w.addUser(), w.opened()
	s, c := w.initiated(r, p), w.counter("factor", secondFactor())
	won := w.winners(50, func(int) error {
		_, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 5, Throttles: []storage.Throttle{c}, Now: w.now})
		if err != nil {
			return err
		}
		return w.s.Spend(w.ctx, w.right(s, p, c, 7))
	})
	same(w, won, 1)
	same(w, len(w.request(r).Factors), 1)
}

func rightCodesOnManyExchanges(w *fixture) {
	p, c := w.addUser(), w.counter("factor", secondFactor())
	tries := make([]storage.Status, 50)
	for i := range tries {
		tries[i] = w.initiated(w.opened(), p)
	}
	won := w.winners(50, func(i int) error {
		a := storage.Attempt{Exchange: tries[i].Exchange, MaxAttempts: 5, Throttles: []storage.Throttle{c}, Now: w.now}
		if _, err := w.s.CountAttempt(w.ctx, a); err != nil {
			return err
		}
		spend := w.right(tries[i], p, c, 7)
		spend.Request = nil
		return w.s.Spend(w.ctx, spend)
	})
	same(w, won, 1)
}
