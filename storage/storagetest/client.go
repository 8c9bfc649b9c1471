package storagetest

import (
	"cmp"
	"slices"
	"time"

	"sallyport/storage"
)

func clients(w *fixture) {
	w.test("a client round-trips, also when replaced", clientRoundTrip)
	w.test("an unknown or malformed client ID is not found", func(w *fixture) {
		p := w.addUser()
		for _, id := range []storage.ClientID{"", "nobody", "a\x00b", "\xff\xfe", "' OR 1=1 --"} {
			_, err := w.s.Client(w.ctx, id)
			w.is(err, storage.ErrNotFound)
			w.is(w.s.DeleteClient(w.ctx, id, nil), storage.ErrNotFound)
			_, err = w.s.Consent(w.ctx, p.id, id)
			w.is(err, storage.ErrNotFound)
			w.is(w.s.WithdrawConsent(w.ctx, p.id, id, w.now, nil), storage.ErrNotFound)
		}
	})
	w.test("clients are listed by ID", func(w *fixture) {
		for _, id := range []storage.ClientID{"b", "B", "a-1", "a_1", "a"} {
			w.ok(w.s.PutClient(w.ctx, storage.Client{ID: id}, nil))
		}
		all, err := w.s.ListClients(w.ctx)
		w.ok(err)
		if len(all) < 5 || !slices.IsSortedFunc(all, func(a, b storage.Client) int { return cmp.Compare(a.ID, b.ID) }) {
			w.Fatalf("not in order: %+v", all)
		}
	})
	w.test("a client changed since it was read is not replaced", clientReplaced)
	w.test("every one of concurrent changes increments the version", func(w *fixture) {
		version := func() int64 {
			v, err := w.s.Versions(w.ctx)
			w.ok(err)
			return v["clients"]
		}
		before := version()
		same(w, w.winners(racers, func(i int) error {
			return w.s.PutClient(w.ctx, storage.Client{ID: storage.ClientID(rune('a' + i%2))}, nil)
		}), racers)
		same(w, version(), before+racers)
		w.ok(w.s.DeleteClient(w.ctx, "a", nil))
		same(w, version(), before+racers+1)
	})
	w.test("deleting a client removes its grants, codes and consents", func(w *fixture) {
		p := w.addUser()
		w.ok(w.s.PutClient(w.ctx, storage.Client{ID: "app"}, nil))
		b := w.belongings(p)
		w.ok(w.s.DeleteClient(w.ctx, "app", nil))
		_, err := w.readGrant(b.grant)
		w.is(err, storage.ErrNotFound)
		_, err = w.s.Grant(w.ctx, b.code.ID)
		w.is(err, storage.ErrNotFound)
		_, err = w.s.Consent(w.ctx, p.id, "app")
		w.is(err, storage.ErrNotFound)
	})
	w.test("withdrawing a consent ends the client's grants of that user", withdrawnConsent)
}

func clientRoundTrip(w *fixture) {
	grace, offer, e := storage.Seconds(10), false, w.event(person{})
	c := storage.Client{
		ID: storage.ClientID("app-" + random[string]()), Name: "App <&>", AuthMethod: "client_secret_basic", SecretHashes: [][]byte{{1, 2}},
		RedirectURIs: []string{"https://app.example/cb"}, GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid"},
		MFA: "TIME_BASED", MFAInterval: 3600, MFARemember: 86400, PasskeyOffer: &offer, RefreshGrace: &grace, CreatedAt: w.now, UpdatedAt: w.now,
	}
	w.ok(w.s.PutClient(w.ctx, c, []storage.Event{e}))
	same(w, w.logged(e), true)
	got, err := w.s.Client(w.ctx, c.ID)
	w.ok(err)
	same(w, got, c)
	c.Disabled, c.UpdatedAt = true, w.now.Add(time.Minute)
	w.ok(w.s.PutClient(w.ctx, c, nil))
	got, err = w.s.Client(w.ctx, c.ID)
	w.ok(err)
	same(w, got, c)

	was := c.UpdatedAt
	c.AuthMethod, c.Secrets, c.UpdatedAt = "client_secret_jwt", []storage.ClientSecret{"the new", "the old"}, was.Add(time.Minute)
	w.ok(w.s.ReplaceClient(w.ctx, c, was, nil))
	got, err = w.s.Client(w.ctx, c.ID)
	w.ok(err)
	same(w, got, c)
	w.is(w.s.ReplaceClient(w.ctx, storage.Client{ID: c.ID, UpdatedAt: w.now}, was, nil), storage.ErrConflict)
	registered := c
	registered.ID, registered.Registration = storage.ClientID("app-"+random[string]()), &storage.Registration{At: w.now, ExpiresAt: w.now.Add(time.Hour)}
	w.ok(w.s.RegisterClient(w.ctx, registered, 1<<20, w.now, nil))
	all, err := w.s.ListClients(w.ctx)
	w.ok(err)
	for _, x := range all {
		if x.ID == c.ID || x.ID == registered.ID {
			same(w, x.Secrets, c.Secrets)
		}
	}
	was, c.Secrets, c.UpdatedAt = c.UpdatedAt, nil, c.UpdatedAt.Add(time.Minute)
	w.ok(w.s.ReplaceClient(w.ctx, c, was, nil))
	got, err = w.s.Client(w.ctx, c.ID)
	w.ok(err)
	same(w, got, c)
}

func withdrawnConsent(w *fixture) {
	p, q := w.addUser(), w.addUser()
	mine, others := w.belongings(p), w.belongings(q)
	all, err := w.s.ConsentsOf(w.ctx, p.id)
	w.ok(err)
	same(w, all, []storage.Consent{{UserID: p.id, ClientID: "app", Scopes: []string{"openid"}, GrantedAt: w.now}})
	w.ok(w.s.WithdrawConsent(w.ctx, p.id, "app", w.now, nil))
	all, err = w.s.ConsentsOf(w.ctx, p.id)
	w.ok(err)
	same(w, len(all), 0)
	for id, want := range map[storage.GrantID]bool{mine.grant: false, mine.offline: false, others.grant: true} {
		g, err := w.readGrant(id)
		w.ok(err)
		same(w, g.Alive(), want)
	}
	w.is(w.s.WithdrawConsent(w.ctx, p.id, "app", w.now, nil), storage.ErrNotFound)
}
