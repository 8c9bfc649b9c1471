package storagetest

import (
	"errors"
	"time"

	"sallyport/storage"
)

const (
	resetting = "password_reset"
	undoing   = "address_undo"
)

// ticket returns a ticket of a user, valid for an hour.
func (w *fixture) ticket(p person, purpose string) storage.Ticket {
	w.Helper()
	return w.newTicket(p, purpose, w.account(p.id).Identifiers[0].ID)
}

func (w *fixture) newTicket(p person, purpose string, address storage.IdentifierID) storage.Ticket {
	return storage.Ticket{
		ID: ordered[storage.TicketID](w.now), Purpose: purpose, UserID: p.id, Identifier: address,
		Link: random[string](), Code: random[string](), ClientID: "app", Data: []byte(`{"request":"r"}`),
		CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour),
	}
}

// ticketed stores a new ticket.
func (w *fixture) ticketed(p person, purpose string) storage.Ticket {
	w.Helper()
	t := w.ticket(p, purpose)
	w.ok(w.s.CreateTicket(w.ctx, storage.NewTicket{Ticket: t}, w.now))
	return t
}

// spendingTicket returns the change that spends a ticket.
func spendingTicket(t storage.Ticket, now time.Time) storage.UserChange {
	return storage.UserChange{ID: t.UserID, Now: now, Ticket: &storage.TicketSpend{ID: t.ID, Purpose: t.Purpose, Proven: true}}
}

// ended reports whether a ticket ended.
func (w *fixture) ended(t storage.Ticket) bool {
	w.Helper()
	got, err := w.s.TicketByLink(w.ctx, t.Purpose, t.Link)
	w.ok(err)
	return !got.EndedAt.IsZero()
}

// guess returns a guess of a user's code, of which five may be wrong.
func guess(p person, code string, now time.Time) storage.TicketGuess {
	return storage.TicketGuess{Purpose: resetting, User: p.id, Code: code, Now: now, Count: storage.Throttle{
		Key:      storage.ThrottleKey{Bucket: "ticket", Subject: []byte(p.id)},
		Schedule: storage.Schedule{Free: 4, First: time.Hour, Cap: time.Hour, Forget: time.Hour, Fixed: true},
	}}
}

func (w *fixture) addProven() person {
	w.Helper()
	p := w.addUser()
	w.ok(w.s.VerifyIdentifier(w.ctx, w.account(p.id).Identifiers[0].ID, w.now, nil))
	return p
}

func tickets(w *fixture) {
	w.test("a ticket is found by its link and its code, with what was stored", func(w *fixture) {
		p := w.addProven()
		want := w.ticket(p, resetting)
		m, e := w.message(), w.event(p)
		w.ok(w.s.CreateTicket(w.ctx, storage.NewTicket{Ticket: want, Messages: []storage.Message{m}, Events: []storage.Event{e}}, w.now))
		_, err := w.s.Message(w.ctx, m.ID)
		w.ok(err)
		same(w, w.logged(e), true)
		stored := want
		stored.Code = ""
		for range 3 {
			got, err := w.s.TicketByLink(w.ctx, resetting, want.Link)
			w.ok(err)
			same(w, got, stored)
		}
		got, err := w.s.GuessTicket(w.ctx, guess(p, want.Code, w.now))
		w.ok(err)
		same(w, got, stored)
	})
	w.test("a link is good for its purpose, a code for its purpose and user", func(w *fixture) {
		p, other := w.addProven(), w.addProven()
		t := w.ticketed(p, resetting)
		w.ticketed(other, resetting)
		for _, link := range []string{"", random[string](), t.Code, string(t.ID)} {
			_, err := w.s.TicketByLink(w.ctx, resetting, link)
			w.is(err, storage.ErrNotFound)
		}
		_, err := w.s.TicketByLink(w.ctx, undoing, t.Link)
		w.is(err, storage.ErrNotFound)
		foreign := guess(p, t.Code, w.now)
		foreign.Purpose = undoing
		for _, g := range []storage.TicketGuess{foreign, guess(other, t.Code, w.now), guess(person{}, t.Code, w.now), guess(p, t.Link, w.now), guess(p, "", w.now)} {
			_, err := w.s.GuessTicket(w.ctx, g)
			w.is(err, storage.ErrNotFound)
		}
	})
	w.test("wrong codes are counted over all tickets of a user, whoever races", func(w *fixture) {
		p := w.addProven()
		first := w.ticketed(p, resetting)
		for range 3 { // a right code is no guess
			_, err := w.s.GuessTicket(w.ctx, guess(p, first.Code, w.now))
			w.ok(err)
		}
		counted := w.winners(racers, func(int) error {
			_, err := w.s.GuessTicket(w.ctx, guess(p, "wrong", w.now))
			if errors.Is(err, storage.ErrNotFound) {
				return nil
			}
			return err
		})
		same(w, counted, 5)
		second := w.ticketed(p, resetting)
		for _, code := range []string{first.Code, second.Code} {
			_, err := w.s.GuessTicket(w.ctx, guess(p, code, w.now))
			refused, ok := errors.AsType[*storage.RefusedError](err)
			if !ok || refused.Bucket != "ticket" || !refused.Until.Equal(w.now.Add(time.Hour)) {
				w.Fatalf("got %v, want a refusal for an hour", err)
			}
		}
		_, err := w.s.TicketByLink(w.ctx, resetting, second.Link)
		w.ok(err) // guesses of codes end no link
		late := guess(p, second.Code, w.now.Add(time.Hour))
		_, err = w.s.GuessTicket(w.ctx, late)
		w.is(err, storage.ErrNotFound) // expired by then
	})
	w.test("earlier codes stay good when another message is sent", func(w *fixture) {
		p := w.addProven()
		first, second := w.ticketed(p, resetting), w.ticketed(p, resetting)
		for _, t := range []storage.Ticket{first, second} {
			got, err := w.s.GuessTicket(w.ctx, guess(p, t.Code, w.now))
			w.ok(err)
			same(w, got.ID, t.ID)
		}
	})
	w.test("a ticket is spent once, with its change, whoever races", func(w *fixture) {
		p := w.addProven()
		t := w.ticketed(p, resetting)
		w.one(racers, func(int) error { return w.s.UpdateUser(w.ctx, spendingTicket(t, w.now)) })
		same(w, w.ended(t), true)
		changed := spendingTicket(t, w.now.Add(time.Second))
		on := true
		changed.MFAEnabled = &on
		w.is(w.s.UpdateUser(w.ctx, changed), storage.ErrConflict)
		same(w, w.account(p.id).User.MFAEnabled, false)
		_, err := w.s.GuessTicket(w.ctx, guess(p, t.Code, w.now))
		w.is(err, storage.ErrNotFound)
	})
	w.test("of racing siblings one is spent, and other tickets stay", func(w *fixture) {
		p, other := w.addProven(), w.addProven()
		undo, foreign := w.ticketed(p, undoing), w.ticketed(other, resetting)
		siblings := make([]storage.Ticket, racers)
		for i := range siblings {
			siblings[i] = w.ticketed(p, resetting)
		}
		w.one(racers, func(i int) error { return w.s.UpdateUser(w.ctx, spendingTicket(siblings[i], w.now)) })
		for _, t := range siblings {
			same(w, w.ended(t), true)
		}
		same(w, w.ended(undo), false)
		same(w, w.ended(foreign), false)
	})
	w.test("a ticket is not spent when it is another's, of another purpose, expired, or its address is gone", func(w *fixture) {
		p, other, unproven := w.addProven(), w.addProven(), w.addUser()
		t := w.ticketed(p, resetting)
		foreign, purpose, late := spendingTicket(t, w.now), spendingTicket(t, w.now), spendingTicket(t, t.ExpiresAt)
		foreign.ID, purpose.Ticket.Purpose = other.id, undoing
		for _, c := range []storage.UserChange{foreign, purpose, late, spendingTicket(w.ticketed(unproven, resetting), w.now)} {
			w.is(w.s.UpdateUser(w.ctx, c), storage.ErrConflict)
		}
		same(w, w.ended(t), false)
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now, Names: &storage.NamesChange{Drop: []storage.IdentifierID{t.Identifier}}}))
		w.is(w.s.UpdateUser(w.ctx, spendingTicket(t, w.now)), storage.ErrConflict)
		undo := w.newTicket(p, undoing, t.Identifier)
		w.ok(w.s.CreateTicket(w.ctx, storage.NewTicket{Ticket: undo}, w.now))
		c := spendingTicket(undo, w.now)
		c.Ticket.Proven = false
		w.ok(w.s.UpdateUser(w.ctx, c))
	})
	w.test("a ticket bound to a secret is not spent once that changed", func(w *fixture) {
		p := w.addProven()
		c := spendingTicket(w.ticketed(p, resetting), w.now)
		c.Ticket.Secret, c.Ticket.Was = p.password, w.find(p.id, p.password).Counter
		stale := w.changePassword(p)
		w.ok(w.s.Spend(w.ctx, stale))
		w.is(w.s.UpdateUser(w.ctx, c), storage.ErrConflict)
		c.Ticket.Was = w.find(p.id, p.password).Counter
		w.ok(w.s.UpdateUser(w.ctx, c))
	})
	w.test("what ends a user's logins ends tickets, except those that outlive it", func(w *fixture) {
		p := w.addProven()
		t := w.ticketed(p, resetting)
		undo := w.ticket(p, undoing)
		undo.Outlives = true
		w.ok(w.s.CreateTicket(w.ctx, storage.NewTicket{Ticket: undo}, w.now))
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Kill: true, Now: w.now}))
		same(w, w.ended(t), true)
		same(w, w.ended(undo), false)
		w.ok(w.s.DeleteUser(w.ctx, p.id, w.now, nil))
		_, err := w.s.TicketByLink(w.ctx, undoing, undo.Link)
		w.is(err, storage.ErrNotFound)
		w.is(w.s.CreateTicket(w.ctx, storage.NewTicket{Ticket: undo}, w.now), storage.ErrNotFound)
	})
	w.test("a message beyond its counter brings no ticket", func(w *fixture) {
		p, limit := w.addProven(), within(3)
		create := func(int) error {
			return w.s.CreateTicket(w.ctx, storage.NewTicket{Ticket: w.newTicket(p, resetting, ""), Sends: []storage.Throttle{limit}}, w.now)
		}
		same(w, w.winners(racers, create), 3)
	})
	w.test("expired tickets are found until they are swept", func(w *fixture) {
		p := w.addProven()
		t := w.ticketed(p, resetting)
		_, err := w.s.Sweep(w.ctx, t.ExpiresAt.Add(storage.KeepTicket-time.Second), 1000)
		w.ok(err)
		got, err := w.s.TicketByLink(w.ctx, resetting, t.Link)
		w.ok(err)
		same(w, got.Valid(t.ExpiresAt), false)
		same(w, got.Valid(t.ExpiresAt.Add(-time.Second)), true)
		_, err = w.s.Sweep(w.ctx, t.ExpiresAt.Add(storage.KeepTicket), 1000)
		w.ok(err)
		_, err = w.s.TicketByLink(w.ctx, resetting, t.Link)
		w.is(err, storage.ErrNotFound)
	})
}
