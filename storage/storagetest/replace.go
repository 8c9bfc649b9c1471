package storagetest

import (
	"slices"
	"time"

	"sallyport/storage"
)

func userReplaced(w *fixture) {
	p, q := w.addUser(), w.addUser()
	w.ok(w.s.ReplaceRecoveryCodes(w.ctx, w.codes(p, "A", "B"), w.now, nil, nil))
	r := w.opened()
	tried := w.initiated(r, p)
	before := w.account(p.id)
	old := before.Identifiers[0]
	fresh := w.name(p.id, random[string]())
	totp := w.authenticator(p.id, random[storage.AuthenticatorID](), "totp", "another secret")
	set := w.codes(p, "C")
	counter := w.counter("factor", storage.Schedule{Max: 1})
	_, err := w.count(w.now, counter)
	w.ok(err)
	e, m := w.event(person{}), w.message()
	change := storage.UserChange{ID: p.id, Now: w.now, Events: []storage.Event{e}, Messages: []storage.Message{m},
		Reset: []storage.ThrottleKey{counter.Key},
		Names: &storage.NamesChange{Drop: []storage.IdentifierID{old.ID}, Add: []storage.Identifier{fresh}},
		Factors: &storage.FactorsChange{Drop: []string{"totp", "recovery"},
			Add: []storage.Authenticator{totp, set.Authenticator}, RecoveryCodes: set.Codes}}

	refused := change
	refused.Names = &storage.NamesChange{Drop: change.Names.Drop, Add: []storage.Identifier{w.name(p.id, q.email)}}
	w.is(w.s.UpdateUser(w.ctx, refused), storage.ErrConflict)
	same(w, w.account(p.id), before)
	if w.logged(e) {
		w.Error("the event of a refused change was written")
	}

	w.ok(w.s.UpdateUser(w.ctx, change))
	after := w.account(p.id)
	same(w, len(after.Identifiers), len(before.Identifiers))
	if !slices.ContainsFunc(after.Identifiers, func(i storage.Identifier) bool { return i.ID == fresh.ID }) {
		w.Errorf("the new name is missing: %+v", after.Identifiers)
	}
	same(w, string(w.find(p.id, totp.ID).Secret), "another secret")
	for _, a := range before.Authenticators {
		if a.Method != "password" && slices.ContainsFunc(after.Authenticators, func(x storage.Authenticator) bool { return x.ID == a.ID }) {
			w.Errorf("%s %s was not removed", a.Method, a.ID)
		}
	}
	codes, err := w.s.RecoveryCodes(w.ctx, p.id)
	w.ok(err)
	same(w, codes, []string{"C"})
	_, err = w.s.Status(w.ctx, tried.ID, w.now)
	w.is(err, storage.ErrNotFound)
	_, err = w.count(w.now, counter)
	w.ok(err)
	if !w.logged(e) || !w.sent(m) {
		w.Error("the event or the message was not written")
	}
	same(w, len(w.account(q.id).Authenticators) > 0, true)

	w.ok(w.s.SetAuthenticatorState(w.ctx, p.id, totp.ID, storage.AuthenticatorDisabled, w.now, nil, nil))
	later := w.now.Add(time.Minute)
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: later, Factors: &storage.FactorsChange{Enable: true},
		Names: &storage.NamesChange{Verify: []storage.IdentifierID{fresh.ID}}}))
	same(w, w.find(p.id, totp.ID).State, storage.AuthenticatorActive)
	for _, i := range w.account(p.id).Identifiers {
		if i.ID == fresh.ID && !i.VerifiedAt.Equal(later) {
			w.Errorf("the name is not verified: %+v", i)
		}
	}
}

func clientReplaced(w *fixture) {
	id := storage.ClientID(random[string]())
	c := storage.Client{ID: id, Name: "one", CreatedAt: w.now, UpdatedAt: w.now}
	e := w.event(person{})
	w.is(w.s.ReplaceClient(w.ctx, c, w.now, []storage.Event{e}), storage.ErrConflict)
	w.one(racers, func(int) error { return w.s.ReplaceClient(w.ctx, c, time.Time{}, nil) })
	if w.logged(e) {
		w.Error("the event of a refused change was written")
	}
	w.one(racers, func(i int) error {
		next := c
		next.Name, next.UpdatedAt = "two", w.now.Add(time.Duration(i+1)*time.Second)
		return w.s.ReplaceClient(w.ctx, next, w.now, nil)
	})
	got, err := w.s.Client(w.ctx, id)
	w.ok(err)
	same(w, got.Name, "two")
	w.ok(w.s.DeleteClient(w.ctx, id, nil))
	w.is(w.s.ReplaceClient(w.ctx, c, got.UpdatedAt, nil), storage.ErrConflict)
}
