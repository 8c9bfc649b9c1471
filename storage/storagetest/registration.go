package storagetest

import (
	"crypto/rand"
	"errors"
	"time"

	"sallyport/storage"
)

// registered returns a client that registers itself.
func (w *fixture) registered(token storage.RegistrationTokenID) storage.Client {
	return storage.Client{ID: random[storage.ClientID](), Name: "App", CreatedAt: w.now, UpdatedAt: w.now,
		Registration: &storage.Registration{TokenHash: []byte{1, 2}, At: w.now, Token: token, ExpiresAt: w.now.Add(time.Hour)}}
}

func (w *fixture) registrationToken(uses int64) storage.RegistrationToken {
	w.Helper()
	hash := make([]byte, 32)
	_, err := rand.Read(hash)
	w.ok(err)
	t := storage.RegistrationToken{ID: ordered[storage.RegistrationTokenID](w.now), Hash: hash, Name: "CI", MaxUses: uses, CreatedAt: w.now, ExpiresAt: w.now.Add(time.Hour)}
	w.ok(w.s.CreateRegistrationToken(w.ctx, t, nil))
	return t
}

func registrations(w *fixture) {
	const many = 1000
	w.test("a registered client round-trips, also when replaced", func(w *fixture) {
		c, e := w.registered(""), w.event(person{})
		w.ok(w.s.RegisterClient(w.ctx, c, many, w.now, []storage.Event{e}))
		same(w, w.logged(e), true)
		got, err := w.s.Client(w.ctx, c.ID)
		w.ok(err)
		same(w, got, c)
		next := c
		next.Name, next.UpdatedAt = "Other", w.now.Add(time.Second)
		w.ok(w.s.ReplaceClient(w.ctx, next, c.UpdatedAt, nil))
		got, err = w.s.Client(w.ctx, c.ID)
		w.ok(err)
		same(w, got, next)
	})
	w.test("a registration never replaces a client", func(w *fixture) {
		w.ok(w.s.PutClient(w.ctx, storage.Client{ID: "taken", Name: "Shop"}, nil))
		c := w.registered("")
		c.ID = "taken"
		w.is(w.s.RegisterClient(w.ctx, c, many, w.now, nil), storage.ErrConflict)
		got, err := w.s.Client(w.ctx, "taken")
		w.ok(err)
		same(w, got.Name, "Shop")
	})
	w.test("a token allows as many concurrent registrations as it has uses", func(w *fixture) {
		t := w.registrationToken(3)
		same(w, w.winners(racers, func(int) error {
			err := w.s.RegisterClient(w.ctx, w.registered(t.ID), many, w.now, nil)
			if errors.Is(err, storage.ErrNotFound) {
				return storage.ErrConflict
			}
			return err
		}), 3)
		got, err := w.s.RegistrationToken(w.ctx, t.Hash)
		w.ok(err)
		t.Uses, t.UsedAt = 3, w.now
		same(w, got, t)
	})
	w.test("a token that has expired or was revoked registers nothing", func(w *fixture) {
		t := w.registrationToken(1)
		c := w.registered(t.ID)
		w.is(w.s.RegisterClient(w.ctx, c, many, t.ExpiresAt, nil), storage.ErrNotFound)
		w.ok(w.s.DeleteRegistrationToken(w.ctx, t.ID, nil))
		w.is(w.s.RegisterClient(w.ctx, c, many, w.now, nil), storage.ErrNotFound)
		_, err := w.s.Client(w.ctx, c.ID)
		w.is(err, storage.ErrNotFound)
		w.is(w.s.DeleteRegistrationToken(w.ctx, t.ID, nil), storage.ErrNotFound)
		_, err = w.s.RegistrationToken(w.ctx, t.Hash)
		w.is(err, storage.ErrNotFound)
	})
	w.test("a refused registration spends no use", func(w *fixture) {
		t, c := w.registrationToken(1), w.registered("")
		w.ok(w.s.RegisterClient(w.ctx, c, many, w.now, nil))
		c.Registration.Token = t.ID
		w.is(w.s.RegisterClient(w.ctx, c, many, w.now, nil), storage.ErrConflict)
		w.ok(w.s.RegisterClient(w.ctx, w.registered(t.ID), many, w.now, nil))
	})
	w.test("clients of strangers take no place of those with a token", func(w *fixture) {
		w.is(w.s.RegisterClient(w.ctx, w.registered(""), 0, w.now, nil), storage.ErrConflict)
		w.ok(w.s.RegisterClient(w.ctx, w.registered(w.registrationToken(1).ID), 0, w.now, nil))
	})
	w.test("clients with a token take no place of strangers", func(w *fixture) {
		places := 1 // with those of the tests before
		for errors.Is(w.s.RegisterClient(w.ctx, w.registered(""), places, w.now, nil), storage.ErrConflict) {
			places++
		}
		t := w.registrationToken(5)
		for range 5 {
			w.ok(w.s.RegisterClient(w.ctx, w.registered(t.ID), places, w.now, nil))
		}
		w.ok(w.s.RegisterClient(w.ctx, w.registered(""), places+1, w.now, nil))
		w.is(w.s.RegisterClient(w.ctx, w.registered(""), places+1, w.now, nil), storage.ErrConflict)
	})
	w.test("a client that an operator adopts does not expire", func(w *fixture) {
		c := w.registered("")
		w.ok(w.s.RegisterClient(w.ctx, c, many, w.now, nil))
		was, ends := c.UpdatedAt, c.Registration.ExpiresAt
		c.Registration, c.UpdatedAt = nil, was.Add(time.Second)
		w.ok(w.s.ReplaceClient(w.ctx, c, was, nil))
		_, err := w.s.Sweep(w.ctx, ends.Add(time.Hour), 1000)
		w.ok(err)
		_, err = w.s.Client(w.ctx, c.ID)
		w.ok(err)
	})
	w.test("a client that changes itself is asked about again", func(w *fixture) {
		p := w.addUser()
		c := storage.Client{ID: "app", Name: "one", CreatedAt: w.now, UpdatedAt: w.now}
		w.ok(w.s.PutClient(w.ctx, c, nil))
		w.belongings(p)
		asked := func() bool {
			_, err := w.s.Consent(w.ctx, p.id, "app")
			return errors.Is(err, storage.ErrNotFound)
		}
		next := func() (storage.Client, time.Time) {
			was := c.UpdatedAt
			c.UpdatedAt = was.Add(time.Second)
			return c, was
		}
		w.is(w.s.ReplaceRegistration(w.ctx, c, w.now.Add(time.Second), true, nil), storage.ErrConflict)
		same(w, asked(), false)
		now, was := next()
		w.ok(w.s.ReplaceRegistration(w.ctx, now, was, false, nil))
		same(w, asked(), false)
		now, was = next()
		w.ok(w.s.ReplaceRegistration(w.ctx, now, was, true, nil))
		same(w, asked(), true)
	})
	w.test("tokens are listed, newest first", func(w *fixture) {
		older := w.registrationToken(1)
		newer := older
		newer.ID, newer.Hash = ordered[storage.RegistrationTokenID](w.now.Add(time.Second)), []byte("another hash")
		w.ok(w.s.CreateRegistrationToken(w.ctx, newer, nil))
		all, err := w.s.ListRegistrationTokens(w.ctx)
		w.ok(err)
		same(w, all[0], newer)
	})
	w.test("unused and idle clients are swept, with what belongs to them", sweptClients)
}

func sweptClients(w *fixture) {
	const many = 1000
	unused, used := w.registered(""), w.registered("")
	w.ok(w.s.RegisterClient(w.ctx, unused, many, w.now, nil))
	w.ok(w.s.RegisterClient(w.ctx, used, many, w.now, nil))
	w.ok(w.s.PutClient(w.ctx, storage.Client{ID: "app"}, nil))
	p := w.addUser()
	w.belongings(p)
	keep := w.now.Add(90 * 24 * time.Hour)
	w.ok(w.s.UseClient(w.ctx, used.ID, w.now.Add(time.Minute), keep))
	w.ok(w.s.UseClient(w.ctx, used.ID, w.now, w.now)) // an earlier use never replaces a later one
	w.ok(w.s.UseClient(w.ctx, "app", w.now, w.now))
	got, err := w.s.Client(w.ctx, used.ID)
	w.ok(err)
	same(w, got.Registration.UsedAt, w.now.Add(time.Minute))
	same(w, got.Registration.ExpiresAt, keep)
	there := func(at time.Time) (out [3]bool) {
		w.Helper()
		_, err := w.s.Sweep(w.ctx, at, 1000)
		w.ok(err)
		for i, id := range []storage.ClientID{unused.ID, used.ID, "app"} {
			_, err := w.s.Client(w.ctx, id)
			out[i] = err == nil
		}
		return out
	}
	same(w, there(w.now.Add(59*time.Minute)), [3]bool{true, true, true})
	version, err := w.s.Versions(w.ctx)
	w.ok(err)
	same(w, there(w.now.Add(time.Hour)), [3]bool{false, true, true})
	after, err := w.s.Versions(w.ctx)
	w.ok(err)
	if after["clients"] == version["clients"] {
		w.Fatal("servers are not told of a client that was swept")
	}
	same(w, there(keep), [3]bool{false, false, true})
}
