package storagetest

import (
	"time"

	"sallyport/storage"
)

// invitation returns one of a new user, with its ticket.
func (w *fixture) invitation(email string) storage.NewInvitation {
	user := random[storage.UserID]()
	n := w.invitationOf(user, w.name(user, email))
	n.User = &storage.NewUser{User: storage.User{ID: user, Status: storage.UserPending, Roles: []string{"editor"}, CreatedAt: w.now, UpdatedAt: w.now},
		Identifiers: []storage.Identifier{w.name(user, email)}}
	n.User.Identifiers[0].ID = n.Invitation.Identifier
	n.Invitation.Created = true
	return n
}

func (w *fixture) invitationOf(user storage.UserID, address storage.Identifier) storage.NewInvitation {
	t := w.newTicket(person{id: user}, storage.PurposeInvitation, address.ID)
	return storage.NewInvitation{Ticket: storage.NewTicket{Ticket: t}, Invitation: storage.Invitation{
		ID: ordered[storage.InvitationID](w.now), UserID: user, Identifier: address.ID, Actor: "admin", Inviter: "Vera Lind", ClientID: "app", Sent: 1,
		CreatedAt: w.now, SentAt: w.now, ExpiresAt: t.ExpiresAt}}
}

// invited stores an invitation of a new user.
func (w *fixture) invited() storage.NewInvitation {
	w.Helper()
	n := w.invitation(random[string]() + "@example.com")
	w.ok(w.s.CreateInvitation(w.ctx, n, w.now))
	return n
}

// invitations returns those that a filter selects.
func (w *fixture) invitations(f storage.InvitationFilter) []storage.Invitation {
	w.Helper()
	if f.Now.IsZero() {
		f.Now = w.now
	}
	if f.Limit == 0 {
		f.Limit = 1000
	}
	out, err := w.s.ListInvitations(w.ctx, f)
	w.ok(err)
	return out
}

func (w *fixture) invitationNow(n storage.NewInvitation) []storage.Invitation {
	w.Helper()
	return w.invitations(storage.InvitationFilter{ID: n.Invitation.ID})
}

// accepting returns the change that accepts an invitation.
func accepting(n storage.NewInvitation, now time.Time) storage.UserChange {
	active := storage.UserActive
	return storage.UserChange{ID: n.Invitation.UserID, Status: &active, Now: now,
		Names:  &storage.NamesChange{Verify: []storage.IdentifierID{n.Invitation.Identifier}},
		Ticket: &storage.TicketSpend{ID: n.Ticket.Ticket.ID, Purpose: storage.PurposeInvitation}}
}

func (w *fixture) renewal(n storage.NewInvitation, now time.Time) storage.NewTicket {
	t := w.newTicket(person{id: n.Invitation.UserID}, storage.PurposeInvitation, n.Invitation.Identifier)
	t.CreatedAt, t.ExpiresAt = now, now.Add(2*time.Hour)
	return storage.NewTicket{Ticket: t}
}

func (w *fixture) exists(user storage.UserID) bool {
	w.Helper()
	_, err := w.s.Account(w.ctx, user)
	if err != nil {
		w.is(err, storage.ErrNotFound)
	}
	return err == nil
}

func invitations(w *fixture) {
	w.test("an invitation is stored with its user, its ticket and its message", func(w *fixture) {
		n := w.invitation(random[string]() + "@example.com")
		m, e, created := w.message(), w.event(person{}), w.event(person{})
		n.Ticket.Messages, n.Ticket.Events, n.User.Events = []storage.Message{m}, []storage.Event{e}, []storage.Event{created}
		w.ok(w.s.CreateInvitation(w.ctx, n, w.now))
		same(w, w.invitationNow(n), []storage.Invitation{n.Invitation})
		same(w, w.account(n.User.User.ID).Identifiers, n.User.Identifiers)
		_, err := w.s.TicketByLink(w.ctx, storage.PurposeInvitation, n.Ticket.Ticket.Link)
		w.ok(err)
		same(w, []bool{w.sent(m), w.logged(e), w.logged(created)}, []bool{true, true, true})
	})
	w.test("of racing invitations of one address one creates its user", func(w *fixture) {
		email := random[string]() + "@example.com"
		all := make([]storage.NewInvitation, racers)
		for i := range all {
			all[i] = w.invitation(email)
		}
		w.one(racers, func(i int) error { return w.s.CreateInvitation(w.ctx, all[i], w.now) })
		users := 0
		for _, n := range all {
			if there := w.exists(n.User.User.ID); there != (len(w.invitationNow(n)) == 1) {
				w.Fatal("a user without their invitation, or the other way round")
			} else if there {
				users++
			}
		}
		same(w, users, 1)
	})
	w.test("a pending user is invited once, any other never", func(w *fixture) {
		p, pending := w.addUser(), storage.UserPending
		address := w.account(p.id).Identifiers[0]
		w.is(w.s.CreateInvitation(w.ctx, w.invitationOf(p.id, address), w.now), storage.ErrConflict)
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &pending, Now: w.now}))
		w.one(racers, func(int) error { return w.s.CreateInvitation(w.ctx, w.invitationOf(p.id, address), w.now) })
		same(w, len(w.invitations(storage.InvitationFilter{User: p.id})), 1)
		gone := random[storage.UserID]()
		w.is(w.s.CreateInvitation(w.ctx, w.invitationOf(gone, address), w.now), storage.ErrConflict)
	})
	w.test("a renewal brings a link with a new end, and leaves the earlier one", func(w *fixture) {
		n := w.invited()
		later := w.now.Add(30 * time.Minute)
		second := w.renewal(n, later)
		w.ok(w.s.RenewInvitation(w.ctx, n.Invitation.ID, second, later))
		want := n.Invitation
		want.Sent, want.SentAt, want.ExpiresAt = 2, later, second.Ticket.ExpiresAt
		same(w, w.invitationNow(n), []storage.Invitation{want})
		same(w, w.ended(n.Ticket.Ticket), false)
		w.ok(w.s.UpdateUser(w.ctx, accepting(n, later)))
		same(w, []bool{w.ended(n.Ticket.Ticket), w.ended(second.Ticket)}, []bool{true, true})
		w.is(w.s.RenewInvitation(w.ctx, n.Invitation.ID, w.renewal(n, later), later), storage.ErrConflict)
	})
	w.test("a user who is pending again is invited again, at the address of the link", func(w *fixture) {
		n, pending := w.invited(), storage.UserPending
		w.ok(w.s.UpdateUser(w.ctx, accepting(n, w.now)))
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: n.Invitation.UserID, Status: &pending, Now: w.now}))
		same(w, w.invitationNow(n)[0].AcceptedAt, w.now)
		other := w.name(n.Invitation.UserID, random[string]()+"@example.com")
		w.ok(w.s.AddIdentifier(w.ctx, other, nil))
		again := w.renewal(n, w.now)
		again.Ticket.Identifier = other.ID
		w.ok(w.s.RenewInvitation(w.ctx, n.Invitation.ID, again, w.now))
		want := n.Invitation
		want.Sent, want.Identifier, want.ExpiresAt = 2, other.ID, again.Ticket.ExpiresAt
		same(w, w.invitationNow(n), []storage.Invitation{want})
		accept := accepting(n, w.now)
		accept.Ticket.ID, accept.Names = again.Ticket.ID, nil
		w.ok(w.s.UpdateUser(w.ctx, accept))
		same(w, w.invitationNow(n)[0].AcceptedAt, w.now)
	})
	w.test("messages beyond their counter bring no invitation and no renewal", func(w *fixture) {
		limit, n := within(1), w.invited()
		refused := w.invitation(random[string]() + "@example.com")
		renew := func() error {
			t := w.renewal(n, w.now)
			t.Sends = []storage.Throttle{limit}
			return w.s.RenewInvitation(w.ctx, n.Invitation.ID, t, w.now)
		}
		w.ok(renew())
		w.is(renew(), storage.ErrConflict)
		refused.Ticket.Sends = []storage.Throttle{limit}
		w.is(w.s.CreateInvitation(w.ctx, refused, w.now), storage.ErrConflict)
		same(w, w.exists(refused.User.User.ID), false)
		same(w, w.invitationNow(n)[0].Sent, 2)
	})
	w.test("whatever makes the user active accepts the invitation and ends its links", func(w *fixture) {
		byLink, byAdmin, byProof := w.invited(), w.invited(), w.invited()
		w.one(racers, func(int) error { return w.s.UpdateUser(w.ctx, accepting(byLink, w.now)) })
		admin := accepting(byAdmin, w.now)
		admin.Ticket, admin.Names = nil, nil
		w.ok(w.s.UpdateUser(w.ctx, admin))
		w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Activate: byProof.Invitation.UserID}))
		for _, n := range []storage.NewInvitation{byLink, byAdmin, byProof} {
			same(w, w.invitationNow(n)[0].AcceptedAt, w.now)
			same(w, w.ended(n.Ticket.Ticket), true)
			_, err := w.s.EndInvitation(w.ctx, storage.InvitationEnd{Invitation: n.Invitation, Now: w.now})
			w.is(err, storage.ErrConflict)
			same(w, w.exists(n.Invitation.UserID), true)
		}
	})
	w.test("ending an invitation removes the user that it created, unless something was added", invitationEnds)
	w.test("of acceptance and end one wins", func(w *fixture) {
		for range racers {
			n := w.invited()
			w.one(2, func(i int) error {
				if i == 0 {
					err := w.s.UpdateUser(w.ctx, accepting(n, w.now))
					if !w.exists(n.Invitation.UserID) {
						w.is(err, storage.ErrNotFound)
						return storage.ErrConflict
					}
					return err
				}
				_, err := w.s.EndInvitation(w.ctx, storage.InvitationEnd{Invitation: n.Invitation, Now: w.now})
				return err
			})
		}
	})
	w.test("invitations are listed newest first, by state, user and page", invitationList)
}

func invitationEnds(w *fixture) {
	end := func(n storage.NewInvitation, expired time.Time) (bool, error) {
		return w.s.EndInvitation(w.ctx, storage.InvitationEnd{Invitation: n.Invitation, Expired: expired, Now: w.now})
	}
	n, e, removal := w.invited(), w.event(person{}), w.event(person{})
	_, err := end(n, n.Invitation.ExpiresAt.Add(-time.Second))
	w.is(err, storage.ErrConflict)
	w.one(racers, func(int) error {
		removed, err := w.s.EndInvitation(w.ctx, storage.InvitationEnd{Invitation: n.Invitation, Expired: n.Invitation.ExpiresAt, Now: w.now,
			Events: []storage.Event{e}, Removal: []storage.Event{removal}})
		same(w, removed, err == nil)
		return err
	})
	same(w, []bool{w.exists(n.Invitation.UserID), w.logged(e), w.logged(removal)}, []bool{false, true, true})
	same(w, len(w.invitationNow(n)), 0)

	changed := map[string]func(p person){
		"a factor": func(p person) {
			w.ok(w.s.PutAuthenticator(w.ctx, w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "secret"), nil, nil))
		},
		"a name":           func(p person) { w.ok(w.s.AddIdentifier(w.ctx, w.name(p.id, random[string]()), nil)) },
		"a verified name":  func(p person) { w.ok(w.s.VerifyIdentifier(w.ctx, w.account(p.id).Identifiers[0].ID, w.now, nil)) },
		"a changed record": func(p person) { w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now.Add(time.Second)})) },
		"another status": func(p person) {
			disabled := storage.UserDisabled
			w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &disabled, Now: w.now}))
		},
	}
	for name, change := range changed {
		n, removal := w.invited(), w.event(person{})
		change(person{id: n.Invitation.UserID})
		removed, err := w.s.EndInvitation(w.ctx, storage.InvitationEnd{Invitation: n.Invitation, Now: w.now, Removal: []storage.Event{removal}})
		w.ok(err)
		if removed || !w.exists(n.Invitation.UserID) || w.logged(removal) {
			w.Errorf("with %s the user was removed", name)
		}
		same(w, len(w.invitationNow(n)), 0)
		same(w, w.ended(n.Ticket.Ticket), true)
	}
	p, pending := w.addUser(), storage.UserPending
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &pending, Now: w.now}))
	of := w.invitationOf(p.id, w.account(p.id).Identifiers[0])
	w.ok(w.s.CreateInvitation(w.ctx, of, w.now))
	removed, err := end(of, time.Time{})
	w.ok(err)
	same(w, []bool{removed, w.exists(p.id)}, []bool{false, true})
}

func invitationList(w *fixture) {
	var all []storage.Invitation
	for i := range 3 {
		at := *w
		at.now = w.now.Add(time.Duration(i-10) * time.Hour)
		n := at.invited()
		all = append([]storage.Invitation{n.Invitation}, all...)
	}
	w.ok(w.s.UpdateUser(w.ctx, accepting(storage.NewInvitation{Invitation: all[2], Ticket: w.renewed(all[2])}, w.now)))
	all[2] = w.invitations(storage.InvitationFilter{ID: all[2].ID})[0]
	now := all[0].CreatedAt.Add(time.Minute)
	ours := func(f storage.InvitationFilter) []storage.Invitation {
		f.Now = now
		var out []storage.Invitation
		for _, i := range w.invitations(f) {
			for _, one := range all {
				if i.ID == one.ID {
					out = append(out, i)
				}
			}
		}
		return out
	}
	same(w, ours(storage.InvitationFilter{}), all)
	same(w, ours(storage.InvitationFilter{State: storage.InvitationPending}), all[:1])
	same(w, ours(storage.InvitationFilter{State: storage.InvitationExpired}), all[1:2])
	same(w, ours(storage.InvitationFilter{State: storage.InvitationAccepted}), all[2:])
	same(w, ours(storage.InvitationFilter{User: all[1].UserID}), all[1:2])
	same(w, ours(storage.InvitationFilter{Before: all[0].ID, Limit: 1}), all[1:2])
	same(w, ours(storage.InvitationFilter{Expired: all[1].ExpiresAt}), all[1:2])
	same(w, len(w.invitations(storage.InvitationFilter{ID: "x"})), 0)
	same(w, []storage.InvitationState{all[0].State(now), all[1].State(now), all[2].State(now)},
		[]storage.InvitationState{storage.InvitationPending, storage.InvitationExpired, storage.InvitationAccepted})
}

// renewed makes another link of an invitation.
func (w *fixture) renewed(i storage.Invitation) storage.NewTicket {
	w.Helper()
	t := w.renewal(storage.NewInvitation{Invitation: i}, w.now)
	w.ok(w.s.RenewInvitation(w.ctx, i.ID, t, w.now))
	return t
}
