package storagetest

import (
	"time"

	"sallyport/storage"
)

// openedBy stores a request bound to a browser; nil: unbound.
func (w *fixture) openedBy(browser []byte) storage.AuthRequest {
	w.Helper()
	id := random[storage.RequestID]()
	w.ok(w.s.OpenRequest(w.ctx, storage.AuthRequest{ID: id, ClientID: "app", Params: map[string][]string{"scope": {"openid"}}, Browser: browser,
		State: storage.RequestOpen, RequestedAt: w.now, ExpiresAt: w.now.Add(30 * time.Minute)}))
	return w.request(id)
}

// loginOf returns a detached login of a request.
func (w *fixture) loginOf(parent storage.AuthRequest, p person) storage.NewLogin {
	return storage.NewLogin{Track: random[storage.TrackID](), Login: storage.AuthRequest{ID: random[storage.RequestID](), ClientID: parent.ClientID,
		Params: parent.Params, Parent: parent.Hash, Opener: parent.Browser, State: storage.RequestOpen, Subject: p.id, Factors: w.session(p).Factors,
		RequestedAt: parent.RequestedAt, ExpiresAt: w.now.Add(time.Hour), UpdatedAt: w.now}}
}

func (w *fixture) begin(n storage.NewLogin) error {
	return w.s.Spend(w.ctx, storage.Spend{Now: w.now, Login: &n})
}

func (w *fixture) begun(parent storage.AuthRequest, p person) storage.AuthRequest {
	w.Helper()
	n := w.loginOf(parent, p)
	w.ok(w.begin(n))
	return w.request(n.Login.ID)
}

func logins(w *fixture) {
	w.test("a detached login is found by its track, and its request lives as long", loginByTrack)
	w.test("one of concurrent subjects gets an unbound request", func(w *fixture) {
		parent := w.openedBy(nil)
		people := make([]person, racers)
		for i := range people {
			people[i] = w.addUser()
		}
		w.one(racers, func(i int) error { return w.begin(w.loginOf(parent, people[i])) })
		winner := person{id: w.request(parent.ID).Subject}
		w.ok(w.begin(w.loginOf(parent, winner)))
		w.is(w.s.BindRequest(w.ctx, parent.ID, 0, []byte("b"), w.now), storage.ErrConflict)
	})
	w.test("a detached login does not give a bound request a subject", func(w *fixture) {
		parent, p, q := w.openedBy([]byte("browser")), w.addUser(), w.addUser()
		w.ok(w.begin(w.loginOf(parent, p)))
		w.ok(w.begin(w.loginOf(parent, q)))
		got := w.request(parent.ID)
		same(w, got.Subject, "")
		same(w, got.Version, parent.Version)
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: parent.ID, Subject: p.id, Now: w.now}, nil))
		w.is(w.begin(w.loginOf(parent, q)), storage.ErrConflict)
		w.ok(w.begin(w.loginOf(parent, p)))
	})
	w.test("no detached login begins for a request that is over, expired, or a detached login", loginRefused)
	w.test("one of concurrent logins of a request finishes it", func(w *fixture) {
		parent, p := w.openedBy([]byte("browser")), w.addUser()
		all := make([]storage.AuthRequest, racers)
		for i := range all {
			all[i] = w.begun(parent, p)
		}
		w.one(racers, func(i int) error {
			return w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Request: all[i].ID, Parent: all[i].Parent})
		})
		same(w, w.request(parent.ID).State, storage.RequestCompleted)
	})
	w.test("cancelling a detached login frees an unbound request", func(w *fixture) {
		p, q := w.addUser(), w.addUser()
		give := func(l storage.AuthRequest) {
			w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: l.ID, State: storage.RequestCancelled, Parent: l.Parent, Free: true, Now: w.now}, nil))
		}
		parent := w.openedBy(nil)
		give(w.begun(parent, p))
		w.ok(w.begin(w.loginOf(parent, q)))
		bound := w.openedBy([]byte("browser"))
		l := w.begun(bound, p)
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: bound.ID, Subject: p.id, Now: w.now}, nil))
		give(l)
		same(w, w.request(bound.ID).Subject, p.id)
	})
	w.test("refusing a detached login ends its request", func(w *fixture) {
		parent, p := w.openedBy(nil), w.addUser()
		l := w.begun(parent, p)
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: l.ID, State: storage.RequestCancelled, Parent: l.Parent, Now: w.now}, nil))
		same(w, w.request(parent.ID).State, storage.RequestCancelled)
		w.is(w.begin(w.loginOf(parent, p)), storage.ErrConflict)
	})
	w.test("a browser takes a login over once", func(w *fixture) {
		l := w.begun(w.openedBy(nil), w.addUser())
		w.one(racers, func(i int) error { return w.s.BindRequest(w.ctx, l.ID, 0, []byte{byte(i + 1)}, w.now) })
	})
	w.test("the first factor resets initiations by other callers", func(w *fixture) {
		p := w.addUser()
		r := w.openedBy([]byte("browser"))
		for range 20 {
			w.initiated(r.ID, p)
		}
		w.is(w.s.Initiate(w.ctx, storage.NewStatus{Status: w.newStatus(r.ID, p), MaxInitiations: 20}, w.now), storage.ErrConflict)
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: r.ID, Subject: p.id, Now: w.now}, nil))
		w.initiated(r.ID, p)
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: r.ID, Version: 1, Subject: p.id, Now: w.now}, nil))
		same(w, w.request(r.ID).Initiations, 1)
	})
	w.test("signing out in a browser ends its proven, unfinished logins", loginsEnd)
}

func loginByTrack(w *fixture) {
	p := w.addUser()
	parent := w.openedBy([]byte("browser"))
	n := w.loginOf(parent, p)
	w.ok(w.begin(n))
	got, account, err := w.s.RequestByTrack(w.ctx, n.Track, w.now.Add(59*time.Minute))
	w.ok(err)
	same(w, account.User.ID, p.id)
	want := n.Login
	want.Track, want.Hash = got.Track, got.Hash
	same(w, got, want)
	if len(got.Track) == 0 || len(got.Hash) == 0 {
		w.Fatalf("track %x, hash %x", got.Track, got.Hash)
	}
	same(w, w.request(n.Login.ID), want)
	_, _, err = w.s.Request(w.ctx, parent.ID, "", w.now.Add(59*time.Minute))
	w.ok(err)
	w.is(w.begin(n), storage.ErrConflict)
}

func loginRefused(w *fixture) {
	p := w.addUser()
	over, parent := w.openedBy(nil), w.openedBy(nil)
	w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: over.ID, State: storage.RequestCancelled, Now: w.now}, nil))
	w.is(w.begin(w.loginOf(over, p)), storage.ErrConflict)
	n := w.loginOf(parent, p)
	w.is(w.s.Spend(w.ctx, storage.Spend{Now: parent.ExpiresAt, Login: &n}), storage.ErrConflict)
	n.Login.Parent = []byte("nothing")
	w.is(w.begin(n), storage.ErrConflict)
	w.is(w.begin(w.loginOf(w.begun(parent, p), p)), storage.ErrConflict)
	// If the login cannot begin, its proof is not spent.
	w.is(w.s.Spend(w.ctx, storage.Spend{Now: w.now, Login: &n, Credential: &storage.CredentialSpend{User: p.id, Authenticator: p.totp, Step: 7}}),
		storage.ErrConflict)
	same(w, w.find(p.id, p.totp).Counter, 0)
}

func loginsEnd(w *fixture) {
	p, q := w.addUser(), w.addUser()
	here, there := []byte(random[string]()), []byte(random[string]())
	fresh, other := w.openedBy(here), w.openedBy(there)
	mine, theirs, foreign := w.openedBy(here), w.openedBy(here), w.openedBy(there)
	for r, who := range map[storage.RequestID]person{mine.ID: p, theirs.ID: q, foreign.ID: p} {
		w.ok(w.s.ChangeRequest(w.ctx, storage.RequestChange{ID: r, Subject: who.id, Now: w.now}, nil))
	}
	own, far := w.begun(fresh, p), w.begun(other, p)
	has := func(browser ...[]byte) bool {
		found, err := w.s.HasLogins(w.ctx, browser, w.now)
		w.ok(err)
		return found
	}
	same(w, has(), false)
	same(w, has([]byte("another browser")), false)
	same(w, has([]byte("from before a rotation"), here), true)
	w.ok(w.s.EndLogins(w.ctx, nil, "", w.now))
	w.ok(w.s.EndLogins(w.ctx, [][]byte{here}, w.addUser().id, w.now))
	w.ok(w.s.EndLogins(w.ctx, [][]byte{here}, q.id, w.now))
	same(w, w.request(theirs.ID).State, storage.RequestCancelled)
	for _, id := range []storage.RequestID{mine.ID, own.ID} {
		same(w, w.request(id).State, storage.RequestOpen)
	}
	w.ok(w.s.EndLogins(w.ctx, [][]byte{here, []byte("from before a rotation")}, "", w.now))
	same(w, has(here), false)
	same(w, has(there), true)
	for _, x := range []struct {
		name string
		id   storage.RequestID
		want storage.RequestState
	}{
		{"without a proof", fresh.ID, storage.RequestOpen},
		{"of one user", mine.ID, storage.RequestCancelled},
		{"of another user", theirs.ID, storage.RequestCancelled},
		{"detached, for a request of this browser", own.ID, storage.RequestCancelled},
		{"in another browser", foreign.ID, storage.RequestOpen},
		{"detached, for a request of another browser", far.ID, storage.RequestOpen},
	} {
		if got := w.request(x.id).State; got != x.want {
			w.Errorf("a login %s is %s, want %s", x.name, got, x.want)
		}
	}
}
