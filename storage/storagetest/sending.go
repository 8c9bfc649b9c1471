package storagetest

import (
	"crypto/rand"
	"errors"
	"time"

	"sallyport/storage"
)

// within allows n messages an hour.
func within(n int) storage.Throttle {
	return storage.Throttle{Key: storage.ThrottleKey{Bucket: "send", Subject: []byte(storage.Random128(rand.Reader))},
		Schedule: storage.Schedule{Free: n - 1, First: time.Hour, Cap: time.Hour, Forget: time.Hour, Fixed: true}}
}

func sending(w *fixture) {
	w.test("a counter of messages allows as many as it says, whoever races", func(w *fixture) {
		p, t := w.addUser(), within(5)
		send := func(int) error {
			return w.s.Initiate(w.ctx, storage.NewStatus{Status: w.newStatus("", p), Sends: []storage.Throttle{t}, Messages: []storage.Message{w.message()}}, w.now)
		}
		same(w, w.winners(racers, send), 5)
		refused, ok := errors.AsType[*storage.RefusedError](send(0))
		if !ok || refused.Bucket != "send" || !refused.Until.Equal(w.now.Add(time.Hour)) {
			w.Fatalf("refused = %+v, want the counter with its hour", refused)
		}
	})
	w.test("a refused message stores nothing", func(w *fixture) {
		p, full, free := w.addUser(), within(1), within(2)
		first, second := w.newStatus("", p), w.newStatus("", p)
		m := w.message()
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: first, Sends: []storage.Throttle{full}}, w.now))
		u := storage.NewUser{User: storage.User{ID: random[storage.UserID](), Status: storage.UserActive, CreatedAt: w.now, UpdatedAt: w.now}}
		w.is(w.s.Initiate(w.ctx, storage.NewStatus{Status: second, User: &u, Sends: []storage.Throttle{free, full}, Messages: []storage.Message{m}}, w.now), storage.ErrConflict)
		_, err := w.s.Status(w.ctx, second.ID, w.now)
		w.is(err, storage.ErrNotFound)
		_, err = w.s.Account(w.ctx, u.User.ID)
		w.is(err, storage.ErrNotFound)
		_, err = w.s.Message(w.ctx, m.ID)
		w.is(err, storage.ErrNotFound)
		for range 2 { // free was not counted
			w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: w.newStatus("", p), Sends: []storage.Throttle{free}}, w.now))
		}
	})
	w.test("one status of an exchange replaces another, with the user created for it", func(w *fixture) {
		p := w.addUser()
		first, second := w.newStatus("", p), w.newStatus("", p)
		second.Exchange = first.Exchange
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: first, Replace: true}, w.now))
		w.is(w.s.Initiate(w.ctx, storage.NewStatus{Status: second}, w.now), storage.ErrConflict)
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: second, Replace: true}, w.now))
		_, err := w.s.Status(w.ctx, first.ID, w.now)
		w.is(err, storage.ErrNotFound)
		s, _, err := w.s.StatusByExchange(w.ctx, first.Exchange, w.now)
		w.ok(err)
		same(w, s.ID, second.ID)
		id := random[storage.UserID]()
		u := storage.NewUser{User: storage.User{ID: id, Status: storage.UserPending, CreatedAt: w.now, UpdatedAt: w.now}, Identifiers: []storage.Identifier{w.name(id, "new-"+string(id))}}
		third := w.newStatus("", person{id: id})
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: third, User: &u}, w.now))
		same(w, len(w.account(id).Identifiers), 1)
		extra := w.name(p.id, "extra-"+string(id))
		w.ok(w.s.Initiate(w.ctx, storage.NewStatus{Status: w.newStatus("", p), Identifier: &extra}, w.now))
		taken := w.name(p.id, u.Identifiers[0].Value)
		w.is(w.s.Initiate(w.ctx, storage.NewStatus{Status: w.newStatus("", p), Identifier: &taken}, w.now), storage.ErrConflict)
	})
	w.test("text messages to a country stop at its limit, or when no codes come back", func(w *fixture) {
		p := w.addUser()
		toll := storage.Toll{Country: "XA", Day: 20000, Max: 6, Free: 2, Ratio: 2}
		send := func() error {
			return w.s.Initiate(w.ctx, storage.NewStatus{Status: w.newStatus("", p), Toll: &toll}, w.now)
		}
		back := func() error { return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Returned: &toll}) }
		w.ok(send())
		w.ok(send())
		refused, ok := errors.AsType[*storage.RefusedError](send())
		if !ok || refused.Bucket != "send_country" || refused.Until.Unix() != 20001*24*60*60 {
			w.Fatalf("refused = %+v, want the country until the next day", refused)
		}
		w.ok(back())
		w.ok(back())
		same(w, w.winners(racers, func(int) error { return send() }), 4)
		w.ok(back())
		w.is(send(), storage.ErrConflict) // Max
		toll.Day++
		w.ok(send())
		toll.Country = "XB"
		w.ok(send())
	})
	w.test("of concurrent enrolments of a backend one stays, and none beside a confirmed one", func(w *fixture) {
		p := w.addUser()
		enroll := func(int) error {
			a := w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "s")
			a.Origin, a.State, a.ExpiresAt = "backend", storage.AuthenticatorPending, w.now.Add(time.Hour)
			return w.s.Enroll(w.ctx, storage.Enrollment{Authenticator: a, Status: w.newStatus("", p), Sole: true})
		}
		same(w, w.winners(racers, enroll), racers)
		var pending []storage.AuthenticatorID
		for _, a := range w.account(p.id).Authenticators {
			if a.Origin == "backend" {
				pending = append(pending, a.ID)
			}
		}
		same(w, len(pending), 1)
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Credential: &storage.CredentialSpend{User: p.id, Authenticator: pending[0], Step: 1, Confirm: true}}))
		w.is(enroll(0), storage.ErrConflict)
	})
}
