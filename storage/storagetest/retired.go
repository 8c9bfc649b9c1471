package storagetest

import (
	"slices"
	"time"

	"sallyport/storage"
)

// username gives a user another name, which is verified.
func (w *fixture) username(p person, value string) storage.Identifier {
	w.Helper()
	i := w.name(p.id, value)
	i.Kind, i.VerifiedAt = storage.Username, w.now
	w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now, Names: &storage.NamesChange{Add: []storage.Identifier{i}}}))
	return i
}

// retire returns the change that gives up a name for another one.
func (w *fixture) retire(old storage.Identifier, until time.Time, value string) storage.UserChange {
	i := w.name(old.UserID, value)
	i.Kind, i.VerifiedAt = storage.Username, w.now
	return storage.UserChange{ID: old.UserID, Now: w.now, Names: &storage.NamesChange{Retire: []storage.IdentifierID{old.ID}, Until: until, Add: []storage.Identifier{i}}}
}

func retiredNames(w *fixture) {
	until := w.now.Add(time.Hour)
	w.test("a retired name finds nobody, and is kept for its user", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		old := w.username(p, random[string]())
		w.ok(w.s.UpdateUser(w.ctx, w.retire(old, until, random[string]())))
		a := w.account(p.id)
		same(w, len(a.Identifiers), 2)
		same(w, len(a.Retired), 1)
		same(w, a.Retired[0].Value, old.Value)
		same(w, a.Retired[0].ExpiresAt, until)
		_, err := w.s.AccountByIdentifier(w.ctx, old.Value, w.now)
		w.is(err, storage.ErrNotFound)
		_, err = w.s.AccountByIdentifierID(w.ctx, old.ID, w.now)
		w.is(err, storage.ErrNotFound)
		r := w.opened()
		_, found, err := w.s.Request(w.ctx, r, old.Value, w.now)
		w.ok(err)
		same(w, found == nil, true)
		list, err := w.s.SearchUsers(w.ctx, storage.UserSearch{NamePart: old.Value, Limit: 10, Now: w.now})
		w.ok(err)
		same(w, list.Total, 0)
		holder, err := w.s.AccountByRetired(w.ctx, old.Value, w.now)
		w.ok(err)
		same(w, holder.User.ID, p.id)
		_, err = w.s.AccountByRetired(w.ctx, q.email, w.now)
		w.is(err, storage.ErrNotFound)
		w.is(w.s.VerifyIdentifier(w.ctx, old.ID, w.now, nil), storage.ErrNotFound)

		w.is(w.s.AddIdentifier(w.ctx, w.name(q.id, old.Value), nil), storage.ErrConflict)
		w.is(w.s.CreateUser(w.ctx, storage.NewUser{User: storage.User{ID: random[storage.UserID](), Status: storage.UserActive, CreatedAt: w.now, UpdatedAt: w.now}, Identifiers: []storage.Identifier{w.name(q.id, old.Value)}}), storage.ErrConflict)
		current := a.Identifiers[slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Kind == storage.Username })]
		again := w.retire(current, until, old.Value)
		w.is(w.s.UpdateUser(w.ctx, again), storage.ErrConflict) // its own row is in the way
		again.Names.Drop = []storage.IdentifierID{a.Retired[0].ID}
		w.ok(w.s.UpdateUser(w.ctx, again))
		same(w, w.account(p.id).Retired[0].Value, current.Value)
	})
	w.test("only its own user's names are retired", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		name := w.username(q, random[string]())
		w.ok(w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Now: w.now, Names: &storage.NamesChange{Retire: []storage.IdentifierID{name.ID}, Until: until}}))
		same(w, len(w.account(q.id).Retired), 0)
	})
	w.test("a retired name is free when its time is over, and is swept", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		first, second := w.username(p, random[string]()), w.username(p, random[string]())
		w.ok(w.s.UpdateUser(w.ctx, w.retire(first, w.now, random[string]())))
		w.ok(w.s.UpdateUser(w.ctx, w.retire(second, w.now, random[string]())))
		_, err := w.s.AccountByRetired(w.ctx, first.Value, w.now)
		w.is(err, storage.ErrNotFound)
		w.ok(w.s.AddIdentifier(w.ctx, w.name(q.id, first.Value), nil))
		same(w, len(w.account(p.id).Retired), 1)
		for n := 1; n > 0; {
			n, err = w.s.Sweep(w.ctx, w.now, 1000)
			w.ok(err)
		}
		same(w, len(w.account(p.id).Retired), 0)
	})
	w.test("a grant's user has no retired name", func(w *fixture) {
		p := w.addUser()
		old := w.username(p, random[string]())
		w.ok(w.s.UpdateUser(w.ctx, w.retire(old, until, random[string]())))
		got, err := w.readGrant(w.granted(p, "", false))
		w.ok(err)
		for _, i := range got.Account.Identifiers {
			if i.ID == old.ID {
				w.Errorf("the user of a grant has %+v", i)
			}
		}
	})
	w.test("one of concurrent users gets a name, also one that is given up meanwhile", func(w *fixture) {
		value := random[string]()
		w.one(racers, func(int) error { return w.claim(value) })
		for range 4 {
			p := w.addUser()
			old := w.username(p, random[string]())
			give := w.retire(old, until, random[string]())
			w.one(racers, func(i int) error {
				if i == 0 {
					return w.s.UpdateUser(w.ctx, give)
				}
				return w.claim(old.Value)
			})
			same(w, w.account(p.id).Retired[0].Value, old.Value)
		}
	})
}

// claim gives a new user a name.
func (w *fixture) claim(value string) error {
	u := storage.User{ID: random[storage.UserID](), Status: storage.UserActive, CreatedAt: w.now, UpdatedAt: w.now}
	i := w.name(u.ID, value)
	i.Kind, i.VerifiedAt = storage.Username, w.now
	return w.s.CreateUser(w.ctx, storage.NewUser{User: u, Identifiers: []storage.Identifier{i}})
}
