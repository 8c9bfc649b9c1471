package storagetest

import (
	"time"

	"sallyport/storage"
)

// provenAddresses tests what a proof changes of its user.
func provenAddresses(w *fixture) {
	// proven returns the spend of a proof of an address.
	proven := func(w *fixture, user storage.UserID, value string, over ...storage.IdentifierID) storage.Spend {
		i := w.name(user, value)
		i.VerifiedAt, i.CreatedAt, i.UpdatedAt = w.now, w.now.Add(-time.Hour), w.now
		return storage.Spend{Now: w.now, Change: &storage.UserChange{ID: user, Was: w.account(user).User.UpdatedAt, Now: w.now.Add(time.Second),
			Names: &storage.NamesChange{Over: over, Add: []storage.Identifier{i}}}}
	}
	w.test("a proof changes its user completely or not at all", func(w *fixture) {
		p, e := w.addUser(), w.event(person{})
		old := w.account(p.id).Identifiers[0]
		s := proven(w, p.id, random[string]())
		s.Change.Names.Drop, s.Events = []storage.IdentifierID{old.ID}, []storage.Event{e}
		bad := s
		bad.Verify = random[storage.IdentifierID]()
		w.is(w.s.Spend(w.ctx, bad), storage.ErrConflict)
		if _, there := w.identifier(p.id, old.ID); !there || w.logged(e) {
			w.Error("part of a refused proof was written")
		}
		w.ok(w.s.Spend(w.ctx, s))
		same(w, w.account(p.id).Identifiers, s.Change.Names.Add)
		w.is(w.s.Spend(w.ctx, s), storage.ErrConflict)
	})
	w.test("a claim gives way to a proof, another proof does not", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		claim := w.name(q.id, random[string]())
		w.ok(w.s.AddIdentifier(w.ctx, claim, nil))
		w.is(w.s.Spend(w.ctx, proven(w, p.id, claim.Value)), storage.ErrConflict)
		w.ok(w.s.VerifyIdentifier(w.ctx, claim.ID, w.now, nil))
		w.is(w.s.Spend(w.ctx, proven(w, p.id, claim.Value, claim.ID)), storage.ErrConflict)
		got, _ := w.identifier(q.id, claim.ID)
		same(w, got.VerifiedAt, w.now)

		claim = w.name(q.id, random[string]())
		w.ok(w.s.AddIdentifier(w.ctx, claim, nil))
		w.ok(w.s.Spend(w.ctx, proven(w, p.id, claim.Value, claim.ID)))
		if _, there := w.identifier(q.id, claim.ID); there {
			w.Error("the claim is still there")
		}
	})
	w.test("a proof replaces an expired address that is not swept", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		old := w.trial(q.id)
		old.ExpiresAt = w.now
		w.ok(w.s.AddIdentifier(w.ctx, old, nil))
		w.ok(w.s.Spend(w.ctx, proven(w, p.id, old.Value)))
	})
	w.test("one of concurrent users gets the address that they prove", func(w *fixture) {
		value, claimant := random[string](), w.addUser()
		claim := w.name(claimant.id, value)
		w.ok(w.s.AddIdentifier(w.ctx, claim, nil))
		var spends []storage.Spend
		for range racers {
			spends = append(spends, proven(w, w.addUser().id, value, claim.ID))
		}
		w.one(racers, func(i int) error { return w.s.Spend(w.ctx, spends[i]) })
	})
	w.test("an authenticator goes with its address, and the last one with the recovery codes", func(w *fixture) {
		p := w.addUser()
		first, second := random[storage.AuthenticatorID](), random[storage.AuthenticatorID]()
		for _, id := range []storage.AuthenticatorID{first, second} {
			w.ok(w.s.PutAuthenticator(w.ctx, w.authenticator(p.id, id, "email", ""), nil, nil))
		}
		w.ok(w.s.ReplaceRecoveryCodes(w.ctx, storage.RecoverySet{Authenticator: w.authenticator(p.id, random[storage.AuthenticatorID](), "recovery", ""), Codes: []string{"A"}}, w.now, nil, nil))
		yes := true
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, MFAEnabled: &yes, Now: w.now}))
		remove := func(add []storage.Authenticator, ids ...storage.AuthenticatorID) storage.Account {
			w.Helper()
			w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now,
				Factors: &storage.FactorsChange{Remove: ids, Add: add, Lasting: []string{"email"}}}))
			return w.account(p.id)
		}
		moved := w.authenticator(p.id, random[storage.AuthenticatorID](), "email", "")
		moved.CreatedAt, moved.UpdatedAt = w.now, w.now
		a := remove([]storage.Authenticator{moved}, first, second)
		if a.Authenticator(first) != nil || a.Authenticator(second) != nil || a.Authenticator(moved.ID) == nil || !a.User.MFAEnabled {
			w.Errorf("after the move: %+v", a)
		}
		a = remove(nil, moved.ID, random[storage.AuthenticatorID]())
		codes, err := w.s.RecoveryCodes(w.ctx, p.id)
		w.ok(err)
		if a.Authenticator(moved.ID) != nil || a.User.MFAEnabled || len(codes) != 0 {
			w.Errorf("after the last one: %+v, codes %v", a, codes)
		}
	})
	w.test("an administrator ends tickets that outlive all else", func(w *fixture) {
		q := w.addUser()
		other := w.ticket(q, undoing)
		other.Outlives = true
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: q.id, Now: w.now, Issue: []storage.Ticket{other}}))
		for name, end := range map[string]func(p person) error{
			"a change": func(p person) error {
				return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now, Kill: true, EndTickets: true})
			},
			"a removed name": func(p person) error {
				return w.dropName(p.id, w.account(p.id).Identifiers[0].ID)
			},
		} {
			p := w.addUser()
			t := w.ticket(p, undoing)
			t.Outlives = true
			w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now, Kill: true, Issue: []storage.Ticket{t}}))
			same(w, w.ended(t), false)
			w.ok(end(p))
			if !w.ended(t) {
				w.Errorf("%s: the ticket is valid", name)
			}
		}
		same(w, w.ended(other), false)
	})
	w.test("a ticket that ends later ones leaves older ones valid", func(w *fixture) {
		p := w.addUser()
		var list []storage.Ticket
		for i := range 3 {
			t := w.ticket(p, undoing)
			t.Outlives, t.CreatedAt = true, w.now.Add(time.Duration(i)*time.Second)
			w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now, Kill: true, Issue: []storage.Ticket{t}}))
			list = append(list, t)
		}
		second := storage.UserChange{ID: p.id, Now: w.now, Kill: true, Ticket: &storage.TicketSpend{ID: list[1].ID, Purpose: undoing, Later: true}}
		w.one(racers, func(int) error { return w.s.UpdateUser(w.ctx, second) })
		for i, want := range []bool{false, true, true} {
			if got := w.ended(list[i]); got != want {
				w.Errorf("ticket %d ended: %v, want %v", i, got, want)
			}
		}
		refused := w.ticket(p, undoing)
		second.Issue = []storage.Ticket{refused}
		w.is(w.s.UpdateUser(w.ctx, second), storage.ErrConflict)
		_, err := w.s.TicketByLink(w.ctx, undoing, refused.Link)
		w.is(err, storage.ErrNotFound)
	})
}
