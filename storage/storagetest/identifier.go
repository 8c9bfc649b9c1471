package storagetest

import (
	"encoding/json"
	"slices"
	"time"

	"sallyport/storage"
)

// trial returns an address that expires in five minutes.
func (w *fixture) trial(user storage.UserID) storage.Identifier {
	i := w.name(user, random[string]()+"@example.com")
	i.Shown, i.ExpiresAt = "shown "+i.Value, w.now.Add(5*time.Minute)
	return i
}

// identifier returns an identifier of a user; false: it is gone.
func (w *fixture) identifier(user storage.UserID, id storage.IdentifierID) (storage.Identifier, bool) {
	w.Helper()
	list := w.account(user).Identifiers
	at := slices.IndexFunc(list, func(i storage.Identifier) bool { return i.ID == id })
	if at < 0 {
		return storage.Identifier{}, false
	}
	return list[at], true
}

func userChangedMeanwhile(w *fixture) {
	p := w.addUser()
	later := w.now.Add(time.Second)
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Was: w.now, Now: later, Metadata: json.RawMessage(`{"a":1}`)}))
	e, add := w.event(person{}), w.name(p.id, random[string]())
	stale := storage.UserChange{ID: p.id, Was: w.now, Now: later.Add(time.Second), Metadata: json.RawMessage(`{"b":1}`),
		Names: &storage.NamesChange{Add: []storage.Identifier{add}}, Events: []storage.Event{e}}
	w.is(w.s.UpdateUser(w.ctx, stale), storage.ErrConflict)
	same(w, string(w.account(p.id).User.Metadata), `{"a":1}`)
	if _, there := w.identifier(p.id, add.ID); there || w.logged(e) {
		w.Error("part of a refused change was written")
	}
	stale.Was = later
	w.ok(w.s.UpdateUser(w.ctx, stale))
	same(w, string(w.account(p.id).User.Metadata), `{"b":1}`)
}

// accountInOrder: the oldest name and authenticator come first, whatever was stored first.
func accountInOrder(w *fixture) {
	p := w.addUser()
	had := len(w.account(p.id).Identifiers)
	for _, age := range []time.Duration{time.Hour, 3 * time.Hour, 2 * time.Hour} {
		i := w.name(p.id, random[string]())
		i.CreatedAt = w.now.Add(-age)
		w.ok(w.s.AddIdentifier(w.ctx, i, nil))
	}
	var ages []time.Duration
	for _, i := range w.account(p.id).Identifiers[:3] {
		ages = append(ages, w.now.Sub(i.CreatedAt))
	}
	if want := []time.Duration{3 * time.Hour, 2 * time.Hour, time.Hour}; !slices.Equal(ages, want) || len(w.account(p.id).Identifiers) != had+3 {
		w.Errorf("names have the ages %v, want %v before the others", ages, want)
	}
}

// dropName detaches a name from a user.
func (w *fixture) dropName(user storage.UserID, id storage.IdentifierID) error {
	return w.s.UpdateUser(w.ctx, storage.UserChange{ID: user, Now: w.now, EndTickets: true, Names: &storage.NamesChange{Drop: []storage.IdentifierID{id}}})
}

func addressVerified(w *fixture) {
	p := w.addUser()
	mail := w.account(p.id).Identifiers[0]
	later := w.now.Add(time.Minute)
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: later, Verify: mail.ID}))
	got, _ := w.identifier(p.id, mail.ID)
	same(w, got.VerifiedAt, later)
	same(w, got.UpdatedAt, later)
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: later.Add(time.Hour), Verify: mail.ID}))
	got, _ = w.identifier(p.id, mail.ID)
	same(w, got.VerifiedAt, later)

	w.ok(w.dropName(p.id, mail.ID))
	e := w.event(person{})
	for _, id := range []storage.IdentifierID{mail.ID, "x"} {
		w.is(w.s.Spend(w.ctx, storage.Spend{Now: later, Verify: id, Events: []storage.Event{e}}), storage.ErrConflict)
	}
	trial := w.trial(p.id)
	w.ok(w.s.AddIdentifier(w.ctx, trial, nil))
	w.is(w.s.Spend(w.ctx, storage.Spend{Now: trial.ExpiresAt, Verify: trial.ID, Events: []storage.Event{e}}), storage.ErrConflict)
	if w.logged(e) {
		w.Error("the event of a refused proof was written")
	}
}

func addressExpired(w *fixture) {
	p, q := w.addUser(), w.addUser()
	old := w.trial(p.id)
	w.ok(w.s.AddIdentifier(w.ctx, old, nil))
	got, _ := w.identifier(p.id, old.ID)
	same(w, got, old)
	request := w.opened()
	grant, err := w.readGrant(w.granted(p, "", false))
	w.ok(err)
	if !slices.Contains(grant.Account.Identifiers, old) {
		w.Errorf("the account of a grant has %+v", grant.Account.Identifiers)
	}
	// found reports whether every lookup finds the address.
	found := func(now time.Time) bool {
		w.Helper()
		_, err := w.s.AccountByIdentifier(w.ctx, old.Value, now)
		_, byID := w.s.AccountByIdentifierID(w.ctx, old.ID, now)
		_, inLogin, failure := w.s.Request(w.ctx, request, old.Value, now)
		w.ok(failure)
		search, failure := w.s.SearchUsers(w.ctx, storage.UserSearch{Emails: []string{old.Value}, Limit: 1, Count: true, Now: now})
		w.ok(failure)
		hits := map[bool]bool{err == nil: true, byID == nil: true, inLogin != nil: true, search.Total == 1: true}
		if len(hits) != 1 {
			w.Fatalf("lookups differ: %v, %v, %v, %d", err, byID, inLogin, search.Total)
		}
		return err == nil
	}
	same(w, found(old.ExpiresAt.Add(-time.Microsecond)), true)
	same(w, found(old.ExpiresAt), false)

	fresh := w.name(q.id, old.Value)
	w.is(w.s.AddIdentifier(w.ctx, fresh, nil), storage.ErrConflict)
	fresh.CreatedAt, fresh.UpdatedAt = old.ExpiresAt, old.ExpiresAt
	w.is(w.s.VerifyIdentifier(w.ctx, old.ID, old.ExpiresAt, nil), storage.ErrNotFound)
	w.ok(w.s.AddIdentifier(w.ctx, fresh, nil))
	if _, there := w.identifier(p.id, old.ID); there {
		w.Error("the user kept the expired address")
	}
	got, _ = w.identifier(q.id, fresh.ID)
	same(w, got, fresh)

	swept := w.trial(p.id)
	w.ok(w.s.AddIdentifier(w.ctx, swept, nil))
	_, err = w.s.Sweep(w.ctx, swept.ExpiresAt.Add(-time.Microsecond), 1000)
	w.ok(err)
	_, there := w.identifier(p.id, swept.ID)
	same(w, there, true)
	_, err = w.s.Sweep(w.ctx, swept.ExpiresAt, 1000)
	w.ok(err)
	_, there = w.identifier(p.id, swept.ID)
	same(w, there, false)
}

func addressKept(w *fixture) {
	p := w.addUser()
	for name, keep := range map[string]func(id storage.IdentifierID) error{
		"a proof":  func(id storage.IdentifierID) error { return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Verify: id}) },
		"verified": func(id storage.IdentifierID) error { return w.s.VerifyIdentifier(w.ctx, id, w.now, nil) },
		"changed to verified": func(id storage.IdentifierID) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now, Names: &storage.NamesChange{Verify: []storage.IdentifierID{id}}})
		},
		"kept": func(id storage.IdentifierID) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now, Names: &storage.NamesChange{Keep: []storage.IdentifierID{id}}})
		},
	} {
		i := w.trial(p.id)
		w.ok(w.s.AddIdentifier(w.ctx, i, nil))
		w.ok(keep(i.ID))
		_, err := w.s.Sweep(w.ctx, i.ExpiresAt, 1000)
		w.ok(err)
		got, there := w.identifier(p.id, i.ID)
		if !there || !got.ExpiresAt.IsZero() || got.VerifiedAt.IsZero() != (name == "kept") {
			w.Errorf("%s: %v, %+v", name, there, got)
		}
	}
}
