package storagetest

import (
	"net/url"
	"time"

	"sallyport/storage"
)

func requests(w *fixture) {
	w.test("a request round-trips until it expires", func(w *fixture) {
		p := w.addUser()
		r := storage.AuthRequest{
			ID: random[storage.RequestID](), ClientID: "app", Params: url.Values{"scope": {"openid"}, "resource": {"a", "b"}, "id_token_hint": {"e.y.J"}},
			Browser: []byte("hash of a cookie"), State: storage.RequestOpen, Version: 3, Subject: p.id, Factors: w.session(p).Factors,
			Session: ordered[storage.SessionID](w.now), Consent: []string{"openid"}, ShowRecovery: true, Initiations: 2,
			RequestedAt: w.now, ExpiresAt: w.now.Add(time.Minute), UpdatedAt: w.now,
		}
		w.ok(w.s.OpenRequest(w.ctx, r))
		got, account, err := w.s.Request(w.ctx, r.ID, "", w.now)
		w.ok(err)
		r.Hash = got.Hash
		same(w, got, r)
		same(w, *account, w.account(p.id))
		_, _, err = w.s.Request(w.ctx, r.ID, "", r.ExpiresAt)
		w.is(err, storage.ErrNotFound)
		other := r
		other.Version, other.Subject = 9, ""
		w.ok(w.s.OpenRequest(w.ctx, other)) // it is stored already, and stays
		got, _, err = w.s.Request(w.ctx, r.ID, "", w.now)
		w.ok(err)
		same(w, got, r)
	})
	w.test("an unknown or malformed request ID is not found", func(w *fixture) {
		for _, id := range malformed(string(w.opened())) {
			_, _, err := w.s.Request(w.ctx, storage.RequestID(id), "", w.now)
			w.is(err, storage.ErrNotFound)
			_, _, err = w.s.RequestByTrack(w.ctx, storage.TrackID(id), w.now)
			w.is(err, storage.ErrNotFound)
			w.is(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: storage.RequestID(id), Now: w.now}, nil), storage.ErrConflict)
		}
	})
	w.test("the account is the subject's, else that of the name, else nil", requestAccount)
	w.test("one of concurrent browsers binds a request", func(w *fixture) {
		id := w.opened()
		w.one(racers, func(i int) error { return w.s.BindRequest(w.ctx, id, 0, []byte{byte(i + 1)}, w.now) })
		same(w, w.request(id).Version, 1)
		same(w, len(w.request(id).Browser), 1)
	})
	w.test("a browser binds only the version it has read", func(w *fixture) {
		id := w.opened()
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Now: w.now}, nil))
		w.is(w.s.BindRequest(w.ctx, id, 0, []byte("b"), w.now), storage.ErrConflict)
		w.ok(w.s.BindRequest(w.ctx, id, 1, []byte("b"), w.now))
	})
	w.test("one of concurrent changes of one version succeeds", func(w *fixture) {
		id := w.opened()
		w.one(racers, func(i int) error {
			return w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Consent: []string{string(rune('a' + i))}, Now: w.now}, nil)
		})
		same(w, w.request(id).Version, 1)
	})
	w.test("a subject is set once and changed only by a restart", requestSubject)
	w.test("a proof is appended and replaces the one of the same authenticator", requestFactors)
	w.test("empty consent differs from no consent", func(w *fixture) {
		id := w.opened()
		if got := w.request(id).Consent; got != nil {
			w.Fatalf("consent = %v, want nil", got)
		}
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Consent: []string{}, Now: w.now}, nil))
		same(w, w.request(id).Consent, []string{})
	})
	w.test("a track finds its request and sets its expiry", requestTrack)
	w.test("a request that is over or expired does not change", func(w *fixture) {
		id, e := w.opened(), w.event(person{})
		w.is(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Now: w.now.Add(time.Hour)}, nil), storage.ErrConflict)
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, State: storage.RequestCancelled, Now: w.now}, []storage.Event{e}))
		same(w, w.logged(e), true)
		same(w, w.request(id).State, storage.RequestCancelled)
		late := w.event(person{})
		w.is(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Version: 1, Now: w.now}, []storage.Event{late}), storage.ErrConflict)
		same(w, w.logged(late), false)
		w.is(w.s.BindRequest(w.ctx, id, 1, []byte("b"), w.now), storage.ErrConflict)
	})
}

func requestAccount(w *fixture) {
	p, q := w.addUser(), w.addUser()
	id := w.opened()
	_, account, err := w.s.Request(w.ctx, id, q.email, w.now)
	w.ok(err)
	same(w, *account, w.account(q.id))
	for _, unknown := range []string{"", "nobody@example.com", "\xff", "a\x00b"} {
		_, account, err = w.s.Request(w.ctx, id, unknown, w.now)
		w.ok(err)
		if account != nil {
			w.Fatalf("identifier %q gave %+v, want no account", unknown, account)
		}
	}
	w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Subject: p.id, Now: w.now}, nil))
	_, account, err = w.s.Request(w.ctx, id, q.email, w.now)
	w.ok(err)
	same(w, account.User.ID, p.id)
}

func requestSubject(w *fixture) {
	p, q := w.addUser(), w.addUser()
	id := w.opened()
	change := func(version int64, c storage.RequestChange) error {
		c.ID, c.Version, c.Now = id, version, w.now
		return w.s.ChangeRequest(w.ctx, c, nil)
	}
	w.ok(change(0, storage.RequestChange{Subject: p.id, Consent: []string{"openid"}}))
	w.is(change(1, storage.RequestChange{Subject: q.id}), storage.ErrConflict)
	w.is(change(1, storage.RequestChange{Subject: "x"}), storage.ErrConflict)
	w.is(change(0, storage.RequestChange{Subject: p.id}), storage.ErrConflict)
	show := true
	w.ok(change(1, storage.RequestChange{Subject: p.id, ShowRecovery: &show, Track: random[storage.TrackID](), TrackUntil: w.now.Add(time.Hour)}))
	same(w, w.request(id).Subject, p.id)
	w.ok(change(2, storage.RequestChange{Restart: true}))
	r := w.request(id)
	same(w, r.Restarts, 1)
	if r.Subject != "" || r.Factors != nil || r.Consent != nil || r.ShowRecovery || r.Track != nil || r.Session != "" {
		w.Fatalf("a restart left %+v", r)
	}
	w.ok(change(3, storage.RequestChange{Subject: q.id}))
	w.ok(change(4, storage.RequestChange{Restart: true, Subject: p.id}))
	same(w, w.request(id).Subject, p.id)
}

func requestFactors(w *fixture) {
	p := w.addUser()
	id := w.opened()
	password := storage.Factor{Method: "password", Authenticator: p.password, Kinds: []storage.Kind{storage.Know}, AMR: []string{"pwd"}, At: w.now}
	totp := storage.Factor{Method: "totp", Authenticator: p.totp, Kinds: []storage.Kind{storage.Have}, AMR: []string{"otp"}, At: w.now}
	again := password
	again.At = w.now.Add(time.Second)
	for version, f := range []storage.Factor{password, totp, again} {
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Version: int64(version), Factor: &f, Now: w.now}, nil))
	}
	same(w, w.request(id).Factors, []storage.Factor{totp, again})
	w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Version: 3, Restart: true, Factor: &password, Now: w.now}, nil))
	same(w, w.request(id).Factors, []storage.Factor{password})
}

func requestTrack(w *fixture) {
	p := w.addUser()
	id, track, until := w.opened(), random[storage.TrackID](), w.now.Add(time.Hour)
	w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: id, Subject: p.id, Track: track, TrackUntil: until, Now: w.now}, nil))
	r, account, err := w.s.RequestByTrack(w.ctx, track, w.now.Add(59*time.Minute))
	w.ok(err)
	same(w, r.ID, id)
	same(w, r.ExpiresAt, until)
	same(w, account.User.ID, p.id)
	_, _, err = w.s.RequestByTrack(w.ctx, track, until)
	w.is(err, storage.ErrNotFound)
	_, _, err = w.s.RequestByTrack(w.ctx, storage.TrackID(id), w.now)
	w.is(err, storage.ErrNotFound)
}
