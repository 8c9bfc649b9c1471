package storagetest

import (
	"time"

	"sallyport/storage"
)

func rememberedDevices(w *fixture) {
	w.test("a remembered device is returned to its user alone, until it expires", rememberedRoundTrip)
	w.test("of concurrent uses of one token one replaces it, and the others get the same", rememberedUses)
	w.test("a token replaced too long ago is a replay", rememberedReplay)
	w.test("a new proof renews the device of its ID, but not another user's", rememberedRenewal)
	w.test("one is ended, or all", rememberedEnds)
	w.test("every change of secrets, factors, sessions and status ends all of the user", rememberedFall)
	w.test("expired ones are swept", func(w *fixture) {
		d := w.remembered(w.addUser())
		_, err := w.s.Sweep(w.ctx, d.ExpiresAt, 1000)
		w.ok(err)
		list, err := w.s.RememberedOf(w.ctx, d.UserID, w.now)
		w.ok(err)
		same(w, len(list), 0)
	})
}

// remembered stores a device of a user.
func (w *fixture) remembered(p person) storage.RememberedDevice {
	w.Helper()
	d := storage.RememberedDevice{ID: random[storage.RememberedID](), UserID: p.id, Generation: 1, RotatedAt: w.now, UserAgent: "Firefox",
		Factor:    storage.Factor{Method: "totp", Authenticator: p.totp, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"}, At: w.now},
		CreatedAt: w.now, LastUsedAt: w.now, ExpiresAt: w.now.Add(30 * 24 * time.Hour)}
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Remember: &d}))
	return d
}

// held returns what a browser with this device gets for a user.
func (w *fixture) held(p person, d storage.RememberedDevice) []storage.RememberedDevice {
	w.Helper()
	got, err := w.s.Remembered(w.ctx, p.id, []storage.RememberedID{random[storage.RememberedID](), d.ID}, w.now)
	w.ok(err)
	return got
}

// use uses a token of a device.
func (w *fixture) use(d storage.RememberedDevice, generation int64, now time.Time) error {
	return w.s.FinishRequest(w.ctx, storage.Finish{Now: now, Remembered: &storage.RememberedUse{
		ID: d.ID, User: d.UserID, Generation: generation, Since: now.Add(-time.Minute), Now: now}})
}

func rememberedRoundTrip(w *fixture) {
	p, q := w.addUser(), w.addUser()
	d := w.remembered(p)
	same(w, w.held(p, d), []storage.RememberedDevice{d})
	same(w, len(w.held(q, d)), 0)
	got, err := w.s.Remembered(w.ctx, p.id, nil, w.now)
	w.ok(err)
	same(w, len(got), 0)
	later := w.now
	w.now = d.ExpiresAt
	same(w, len(w.held(p, d)), 0)
	w.is(w.use(d, 1, w.now), storage.ErrConflict)
	w.now = later.Add(time.Second)
	second := w.remembered(p)
	list, err := w.s.RememberedOf(w.ctx, p.id, w.now)
	w.ok(err)
	same(w, list, []storage.RememberedDevice{second, d})
}

func rememberedUses(w *fixture) {
	p := w.addUser()
	d := w.remembered(p)
	at := w.now.Add(time.Hour)
	same(w, w.winners(racers, func(int) error { return w.use(d, 1, at) }), racers)
	d.Generation, d.RotatedAt, d.LastUsedAt = 2, at, at
	same(w, w.held(p, d), []storage.RememberedDevice{d})
	w.is(w.use(d, 3, at), storage.ErrConflict)
	// Sixteen tokens in a row: each replaces the one before.
	for g := int64(2); g < 18; g++ {
		w.ok(w.use(d, g, at))
	}
	w.is(w.use(d, 2, at), storage.ErrConflict)
}

func rememberedReplay(w *fixture) {
	p := w.addUser()
	d := w.remembered(p)
	w.ok(w.use(d, 1, w.now))
	w.ok(w.use(d, 1, w.now.Add(59*time.Second)))
	w.is(w.use(d, 1, w.now.Add(time.Minute)), storage.ErrConflict)
	same(w, w.held(p, d)[0].Generation, int64(2))
	d.UserID = w.addUser().id
	w.is(w.use(d, 2, w.now), storage.ErrConflict)
}

func rememberedRenewal(w *fixture) {
	p, q := w.addUser(), w.addUser()
	d := w.remembered(p)
	again := d
	again.Generation, again.Factor.At, again.UserAgent, again.ExpiresAt = 3, w.now.Add(time.Hour), "Chrome", w.now.Add(60*24*time.Hour)
	w.ok(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Remember: &again}))
	same(w, w.held(p, d), []storage.RememberedDevice{again})
	foreign := again
	foreign.UserID = q.id
	w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Remember: &foreign}), storage.ErrConflict)
	same(w, w.held(p, d), []storage.RememberedDevice{again})
}

func rememberedEnds(w *fixture) {
	p, q := w.addUser(), w.addUser()
	first, second, other := w.remembered(p), w.remembered(p), w.remembered(q)
	e := w.event(p)
	w.is(w.s.EndRemembered(w.ctx, q.id, first.ID, []storage.Event{e}), storage.ErrNotFound)
	if w.logged(e) {
		w.Error("an end that did not happen is logged")
	}
	w.ok(w.s.EndRemembered(w.ctx, p.id, first.ID, []storage.Event{e}))
	same(w, w.logged(e), true)
	same(w, len(w.held(p, first)), 0)
	w.is(w.use(first, 1, w.now), storage.ErrConflict)
	same(w, len(w.held(p, second)), 1)
	w.ok(w.s.EndRemembered(w.ctx, p.id, "", nil))
	same(w, len(w.held(p, second)), 0)
	w.is(w.s.EndRemembered(w.ctx, p.id, "", nil), storage.ErrNotFound)
	same(w, len(w.held(q, other)), 1)
}

func rememberedFall(w *fixture) {
	disabled := storage.UserDisabled
	ends := map[string]func(p person) error{
		"a changed password": func(p person) error { return w.s.Spend(w.ctx, w.changePassword(p)) },
		"a disabled user": func(p person) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Status: &disabled, Kill: true, Now: w.now})
		},
		"a deleted user":     func(p person) error { return w.s.DeleteUser(w.ctx, p.id, w.now, nil) },
		"a confirmed factor": func(p person) error { return w.s.Spend(w.ctx, w.enrolling(p, storage.Basis{})) },
		"a factor reset": func(p person) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Factors: &storage.FactorsChange{Drop: []string{"totp"}}, Now: w.now})
		},
		"a factor removed with its address": func(p person) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Factors: &storage.FactorsChange{Remove: []storage.AuthenticatorID{p.totp}}, Now: w.now})
		},
		"a removed factor": func(p person) error {
			return w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: p.totp, Now: w.now})
		},
	}
	for name := range w.endings(w.addUser(), "") {
		ends["sessions that end "+name] = func(p person) error { return w.endings(p, w.signedIn(p).ID)[name]() }
	}
	for name, end := range ends {
		p, q := w.addUser(), w.addUser()
		d, other := w.remembered(p), w.remembered(q)
		before := w.account(p.id).User.DevicesEnded
		w.ok(end(p))
		if after, err := w.s.Account(w.ctx, p.id); err == nil && after.User.DevicesEnded <= before {
			w.Errorf("%s: DevicesEnded stays %d", name, before)
		}
		same(w, w.account(q.id).User.DevicesEnded, int64(0))
		if len(w.held(p, d)) != 0 {
			w.Errorf("%s: the device is still remembered", name)
		}
		same(w, len(w.held(q, other)), 1)
	}
	// A session of its own that ends, and a password that is hashed again, change nothing.
	p := w.addUser()
	d, s := w.remembered(p), w.signedIn(p)
	w.ok(w.s.EndSession(w.ctx, s.ID, false, w.now, nil))
	rehash := w.changePassword(p)
	rehash.Credential.Changed = false
	w.ok(w.s.Spend(w.ctx, rehash))
	same(w, len(w.held(p, d)), 1)
	same(w, w.account(p.id).User.DevicesEnded, int64(0))
}
