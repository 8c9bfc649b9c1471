package storagetest

import (
	"errors"
	"time"

	"sallyport/storage"
)

const signingUp = "signup"

// addressTicket stores a ticket of an address that is no user's.
func (w *fixture) addressTicket(address string) storage.Ticket {
	w.Helper()
	t := w.newTicket(person{}, signingUp, "")
	t.Address = address
	w.ok(w.s.CreateTicket(w.ctx, storage.NewTicket{Ticket: t}, w.now))
	return t
}

// owning returns a new user with a proven address, who spends a ticket of it.
func (w *fixture) owning(t storage.Ticket) storage.NewUser {
	id := random[storage.UserID]()
	n := storage.NewUser{User: storage.User{ID: id, Status: storage.UserActive, CreatedAt: w.now, UpdatedAt: w.now},
		Identifiers: []storage.Identifier{{ID: random[storage.IdentifierID](), UserID: id, Kind: storage.Email, Value: t.Address, VerifiedAt: w.now, CreatedAt: w.now, UpdatedAt: w.now}}}
	n.Ticket = &storage.TicketSpend{ID: t.ID, Purpose: t.Purpose, Address: t.Address}
	return n
}

func guessOf(address, code string, now time.Time) storage.TicketGuess {
	g := guess(person{}, code, now)
	g.Purpose, g.Address, g.Count.Key.Subject = signingUp, address, []byte(address)
	return g
}

func addressTickets(w *fixture) {
	w.test("a ticket of an address is found by its link, and by its code with the address", func(w *fixture) {
		address, other := random[string]()+"@example.com", random[string]()+"@example.com"
		t := w.addressTicket(address)
		stored := t
		stored.Code, stored.Address = "", ""
		got, err := w.s.TicketByLink(w.ctx, signingUp, t.Link)
		w.ok(err)
		same(w, got, stored)
		got, err = w.s.GuessTicket(w.ctx, guessOf(address, t.Code, w.now))
		w.ok(err)
		same(w, got, stored)
		for _, g := range []storage.TicketGuess{guessOf(other, t.Code, w.now), guessOf(address, t.Link, w.now), guess(person{}, t.Code, w.now)} {
			g.Purpose = signingUp
			_, err := w.s.GuessTicket(w.ctx, g)
			w.is(err, storage.ErrNotFound)
		}
	})
	w.test("of racing sign-ups of an address one creates its user, whatever ticket they have", func(w *fixture) {
		address := random[string]() + "@example.com"
		spent := make([]storage.Ticket, racers)
		for i := range spent {
			spent[i] = w.addressTicket(address)
		}
		w.one(racers, func(i int) error { return w.s.CreateUser(w.ctx, w.owning(spent[i])) })
		for _, t := range spent {
			same(w, w.ended(t), true)
		}
		_, err := w.s.AccountByIdentifier(w.ctx, address, w.now)
		w.ok(err)
	})
	w.test("a ticket of an address is spent once, whoever races, and not for another address", func(w *fixture) {
		address := random[string]() + "@example.com"
		t := w.addressTicket(address)
		foreign := w.owning(t)
		foreign.Ticket.Address = random[string]() + "@example.com"
		w.is(w.s.CreateUser(w.ctx, foreign), storage.ErrConflict)
		nobodys := w.owning(t)
		nobodys.Ticket.Address = ""
		w.is(w.s.CreateUser(w.ctx, nobodys), storage.ErrConflict)
		w.one(racers, func(int) error { return w.s.CreateUser(w.ctx, w.owning(t)) })
		a, err := w.s.AccountByIdentifier(w.ctx, address, w.now)
		w.ok(err)
		w.ok(w.s.DeleteUser(w.ctx, a.User.ID, w.now, nil))
		w.is(w.s.CreateUser(w.ctx, w.owning(t)), storage.ErrConflict)
		_, err = w.s.AccountByIdentifier(w.ctx, address, w.now)
		w.is(err, storage.ErrNotFound)
	})
	w.test("of racing claims of a user by tickets of its address one succeeds, and ends the others", func(w *fixture) {
		p := w.addUser()
		address := w.account(p.id).Identifiers[0].Value
		claims := make([]storage.Ticket, racers)
		for i := range claims {
			claims[i] = w.addressTicket(address)
		}
		was := w.account(p.id).User
		w.one(racers, func(i int) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Was: was.UpdatedAt, Now: was.Next(w.now),
				Ticket: &storage.TicketSpend{ID: claims[i].ID, Purpose: signingUp, Address: address}})
		})
		for _, t := range claims {
			same(w, w.ended(t), true)
		}
	})
	w.test("a name that nobody has proven gives way to a new user, a proven one does not", func(w *fixture) {
		claim, proven := w.addUser(), w.addProven()
		i := w.account(claim.id).Identifiers[0]
		n := w.owning(w.addressTicket(i.Value))
		w.is(w.s.CreateUser(w.ctx, n), storage.ErrConflict)
		n.Over = []storage.IdentifierID{i.ID}
		w.ok(w.s.CreateUser(w.ctx, n))
		a, err := w.s.AccountByIdentifier(w.ctx, i.Value, w.now)
		w.ok(err)
		same(w, a.User.ID, n.User.ID)
		i = w.account(proven.id).Identifiers[0]
		t := w.addressTicket(i.Value)
		n = w.owning(t)
		n.Over = []storage.IdentifierID{i.ID}
		w.is(w.s.CreateUser(w.ctx, n), storage.ErrConflict)
		same(w, w.ended(t), false)
	})
	w.test("accepted terms are the account's", func(w *fixture) {
		n := w.owning(w.addressTicket(random[string]() + "@example.com"))
		n.User.Terms = storage.Terms{Version: "2026-01", AcceptedAt: w.now}
		w.ok(w.s.CreateUser(w.ctx, n))
		same(w, w.account(n.User.ID).User.Terms, n.User.Terms)
		next := storage.Terms{Version: "2026-02", AcceptedAt: w.now.Add(time.Hour)}
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: n.User.ID, Now: w.now, Terms: &next}))
		same(w, w.account(n.User.ID).User.Terms, next)
	})
	w.test("wrong codes for an address are counted over all its tickets, whoever races", func(w *fixture) {
		address := random[string]() + "@example.com"
		t := w.addressTicket(address)
		counted := w.winners(racers, func(int) error {
			_, err := w.s.GuessTicket(w.ctx, guessOf(address, "wrong", w.now))
			if errors.Is(err, storage.ErrNotFound) {
				return nil
			}
			return err
		})
		same(w, counted, 5)
		w.addressTicket(address)
		_, err := w.s.GuessTicket(w.ctx, guessOf(address, t.Code, w.now))
		w.is(err, storage.ErrConflict)
		_, err = w.s.TicketByLink(w.ctx, signingUp, t.Link)
		w.ok(err)
	})
}
