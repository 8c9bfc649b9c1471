package storagetest

import (
	"time"

	"sallyport/storage"
)

func attempts(w *world) {
	w.test("racing guesses at an exchange never pass their bound", func(w *world) {
		s := w.initiated(w.opened(), w.someone())
		same(w, w.winners(50, func(int) error {
			_, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 5, Now: w.now})
			return err
		}), 5)
		same(w, w.state(s.ID), storage.StatusFailed)
		refusal, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 5, Now: w.now})
		w.is(err, storage.ErrConflict)
		same(w, refusal, storage.Refusal{})
	})
	w.test("the last attempt may still be the right one, once", func(w *world) {
		s := w.initiated(w.opened(), w.someone())
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
	w.test("only a living, initiated exchange counts", func(w *world) {
		s, p := w.initiated(w.opened(), w.someone()), w.counter("factor", storage.Schedule{Max: 1})
		count := func(id storage.ExchangeID, now time.Time) error {
			_, err := w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: id, MaxAttempts: 5, Throttles: []storage.Throttle{p}, Now: now})
			return err
		}
		w.is(count(random[storage.ExchangeID](), w.now), storage.ErrConflict)
		w.is(count(s.Exchange, s.ExpiresAt), storage.ErrConflict)
		w.ok(w.s.CancelStatus(w.ctx, s.Exchange, w.now, nil))
		w.is(count(s.Exchange, w.now), storage.ErrConflict)
		// The other counter was not touched by any of these.
		_, err := w.count(w.now, p)
		w.ok(err)
	})
	w.test("a refusing counter takes the guess at the exchange back", func(w *world) {
		s, full := w.initiated(w.opened(), w.someone()), w.counter("factor", storage.Schedule{Max: 1})
		_, err := w.count(w.now, full)
		w.ok(err)
		_, err = w.s.CountAttempt(w.ctx, storage.Attempt{Exchange: s.Exchange, MaxAttempts: 5, Throttles: []storage.Throttle{full}, Now: w.now})
		w.is(err, storage.ErrConflict)
		got, err := w.s.Status(w.ctx, s.ID, w.now)
		w.ok(err)
		same(w, got.Attempts, 0)
	})
	w.test("a status may be made by its first attempt", firstAttempt)
	w.test("the only attempt of a new status may be the right one", func(w *world) {
		n := &storage.NewStatus{Status: w.try(w.opened(), w.someone()), MaxInitiations: 1}
		_, err := w.s.CountAttempt(w.ctx, storage.Attempt{New: n, MaxAttempts: 1, Now: w.now})
		w.ok(err)
		same(w, w.state(n.Status.ID), storage.StatusFailed)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Status: &storage.StatusMove{
			Exchange: n.Status.Exchange, From: storage.StatusInitiated, To: storage.StatusRedeemed,
		}}))
		same(w, w.state(n.Status.ID), storage.StatusRedeemed)
	})
	w.test("fifty parallel right codes are one login", rightCodesOnOneExchange)
	w.test("fifty parallel right codes on as many exchanges are one login", rightCodesOnManyExchanges)
}

// right is the Spend of a right TOTP code.
func (w *world) right(s storage.Status, p person, c storage.Throttle, step int64) storage.Spend {
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

func firstAttempt(w *world) {
	p, r, e := w.someone(), w.opened(), w.event(person{})
	n := &storage.NewStatus{Status: w.try(r, p), MaxInitiations: 1, Events: []storage.Event{e}}
	full := w.counter("factor", storage.Schedule{Max: 1})
	_, err := w.count(w.now, full)
	w.ok(err)
	_, err = w.s.CountAttempt(w.ctx, storage.Attempt{New: n, MaxAttempts: 5, Throttles: []storage.Throttle{full}, Now: w.now})
	w.is(err, storage.ErrConflict)
	same(w, w.request(r).Initiations, 0)
	same(w, w.told(e), false)
	_, err = w.s.CountAttempt(w.ctx, storage.Attempt{New: n, MaxAttempts: 5, Now: w.now})
	w.ok(err)
	got, err := w.s.Status(w.ctx, n.Status.ID, w.now)
	w.ok(err)
	same(w, got.Attempts, 1)
	same(w, got.State, storage.StatusInitiated)
	same(w, w.told(e), true)
	n.Status = w.try(r, p)
	refusal, err := w.s.CountAttempt(w.ctx, storage.Attempt{New: n, MaxAttempts: 5, Now: w.now})
	w.is(err, storage.ErrConflict)
	same(w, refusal, storage.Refusal{})
}

func rightCodesOnOneExchange(w *world) {
	p, r := w.someone(), w.opened()
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

func rightCodesOnManyExchanges(w *world) {
	p, c := w.someone(), w.counter("factor", secondFactor())
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
