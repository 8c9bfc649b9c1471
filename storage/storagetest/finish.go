package storagetest

import (
	"sync"
	"time"

	"sallyport/storage"
)

// ending is a Finish with every part: a new session replaces another user's.
type ending struct {
	storage.Finish
	person
	ended storage.Session
	grant storage.GrantID // of the ended session
}

func (w *fixture) ending() ending {
	w.Helper()
	p, q := w.addUser(), w.addUser()
	old, session := w.signedIn(q), w.session(p)
	return ending{
		person: p, ended: old, grant: w.granted(q, old.ID, false),
		Finish: storage.Finish{
			Now: w.now, Request: w.opened(), Session: &session, NewSession: true, EndSession: old.ID,
			Consent: &storage.Consent{UserID: p.id, ClientID: "app", Scopes: []string{"openid"}, Declined: []string{"email"}, Resources: []string{"https://api.example"}, GrantedAt: w.now},
			Code:    w.code(p, session.ID), Events: []storage.Event{w.event(p)},
		},
	}
}

func finishing(w *fixture) {
	w.test("finishing a request stores session, code and consent", completeFinish)
	w.test("one of concurrent finishes of a request succeeds", func(w *fixture) {
		p, r := w.addUser(), w.opened()
		w.one(racers, func(int) error {
			s := w.session(p)
			return w.s.FinishRequest(w.ctx, storage.Finish{
				Now: w.now, Request: r, Session: &s, NewSession: true, Code: w.code(p, s.ID),
			})
		})
		sessions, err := w.s.SessionsOf(w.ctx, p.id, w.now)
		w.ok(err)
		same(w, len(sessions), 1)
	})
	w.test("if one part of a finish fails, nothing happens", failedFinish)
	w.test("a finish stores no consent to what a client was before it changed", consentSince)
	w.test("of a change to a client and a finish with consent the consent does not survive", consentRace)
	w.test("a session gets its next generation once", func(w *fixture) {
		p := w.addUser()
		old := w.signedIn(p)
		w.one(racers, func(int) error {
			s := old
			s.Generation, s.Factors = 2, append(s.Factors, storage.Factor{Method: "totp", At: w.now})
			return w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Session: &s})
		})
		got, _, err := w.s.Session(w.ctx, old.ID, w.now)
		w.ok(err)
		same(w, got.Generation, 2)
		same(w, len(got.Factors), 2)
		w.ok(w.s.EndSession(w.ctx, old.ID, false, w.now, nil))
		got.Generation = 3
		w.is(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Session: &got}), storage.ErrConflict)
	})
	w.test("a finish needs its basis, and none ends beside it untold", func(w *fixture) {
		w.ok(w.s.PutClient(w.ctx, storage.Client{ID: "told", BackchannelLogoutURI: "https://a.example/out"}, nil))
		p, q := w.addUser(), w.addUser()
		ended, expired, foreign := w.signedIn(p), w.session(p), w.signedIn(q)
		expired.ExpiresAt = w.now
		w.ok(w.s.CreateSession(w.ctx, expired, nil))
		w.ok(w.s.EndSession(w.ctx, ended.ID, false, w.now, nil))
		for _, id := range []storage.SessionID{ended.ID, expired.ID, foreign.ID} {
			g := w.grant(p, id, false)
			w.is(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g, Basis: &storage.Basis{User: p.id, Session: id}}), storage.ErrConflict)
			_, err := w.readGrant(g.ID)
			w.is(err, storage.ErrNotFound)
		}
		for range 5 {
			s := w.signedIn(p)
			var all sync.WaitGroup
			issued := make(chan bool, racers)
			for range racers {
				all.Go(func() {
					g := w.grant(p, s.ID, false)
					g.Authorization.ClientID = "told"
					issued <- w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g, Basis: &storage.Basis{User: p.id, Session: s.ID}}) == nil
				})
			}
			all.Go(func() { w.ok(w.s.EndSession(w.ctx, s.ID, false, w.now, nil)) })
			all.Wait()
			close(issued)
			want := []string{}
			for ok := range issued {
				if ok {
					want = []string{"told A"}
				}
			}
			same(w, w.told(p, map[storage.SessionID]string{s.ID: "A"}), want)
		}
	})
	w.test("a finish may create a grant instead of a code", func(w *fixture) {
		p := w.addUser()
		g := w.grant(p, "", false)
		w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g}))
		got, err := w.readGrant(g.ID)
		w.ok(err)
		same(w, got.Grant, g)
	})
}

func completeFinish(w *fixture) {
	x := w.ending()
	w.ok(w.s.FinishRequest(w.ctx, x.Finish))
	same(w, w.request(x.Request).State, storage.RequestCompleted)
	session, account, err := w.s.Session(w.ctx, x.Session.ID, w.now)
	w.ok(err)
	same(w, session, *x.Session)
	same(w, account, w.account(x.id))
	_, _, err = w.s.Session(w.ctx, x.ended.ID, w.now)
	w.is(err, storage.ErrNotFound)
	g, err := w.readGrant(x.grant)
	w.ok(err)
	same(w, g.Alive(), false)
	consent, err := w.s.Consent(w.ctx, x.id, "app")
	w.ok(err)
	same(w, consent, *x.Consent)
	code, err := w.s.Grant(w.ctx, x.Code.ID)
	w.ok(err)
	same(w, code.Grant, *x.Code)
	same(w, w.logged(x.Events[0]), true)
}

func failedFinish(w *fixture) {
	for name, spoil := range map[string]func(*fixture, *ending){
		"another version":         func(_ *fixture, x *ending) { x.Version = 9 },
		"an unknown request":      func(_ *fixture, x *ending) { x.Request = random[storage.RequestID]() },
		"too late":                func(w *fixture, x *ending) { x.Now = w.now.Add(time.Hour) },
		"a session that is there": func(_ *fixture, x *ending) { x.Session.ID = x.ended.ID },
		"a session that is not":   func(_ *fixture, x *ending) { x.NewSession = false },
		"a code that is there":    func(w *fixture, x *ending) { w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: x.Code})) },
		"a request that is closed": func(w *fixture, x *ending) {
			w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Request: x.Request}))
		},
	} {
		w.test(name, func(w *fixture) {
			x := w.ending()
			spoil(w, &x)
			w.is(w.s.FinishRequest(w.ctx, x.Finish), storage.ErrConflict)
			sessions, err := w.s.SessionsOf(w.ctx, x.id, w.now)
			w.ok(err)
			same(w, len(sessions), 0)
			_, _, err = w.s.Session(w.ctx, x.ended.ID, w.now)
			w.ok(err)
			_, err = w.s.Consent(w.ctx, x.id, "app")
			w.is(err, storage.ErrNotFound)
			same(w, w.logged(x.Events[0]), false)
		})
	}
}

// A client that is asked about without a time need not be registered.
func consentSince(w *fixture) {
	for name, tc := range map[string]struct {
		client    storage.ClientID
		since     time.Time
		registers time.Time // the zero time: nobody
		kept      bool
	}{
		"unchanged":        {"unchanged", w.now, w.now.Add(-time.Hour), true},
		"changed then":     {"then", w.now, w.now, true},
		"changed after":    {"after", w.now, w.now.Add(time.Second), false},
		"deleted":          {"deleted", w.now, time.Time{}, false},
		"without a time":   {"timeless", time.Time{}, w.now.Add(time.Second), true},
		"of no registered": {"described", time.Time{}, time.Time{}, true},
	} {
		w.test(name, func(w *fixture) {
			if !tc.registers.IsZero() {
				w.ok(w.s.PutClient(w.ctx, storage.Client{ID: tc.client, UpdatedAt: tc.registers}, nil))
			}
			for _, scopes := range [][]string{{"openid"}, {"openid", "email"}} { // the second replaces the first
				x := w.ending()
				x.Consent.ClientID, x.Consent.Scopes, x.ConsentSince = tc.client, scopes, tc.since
				w.ok(w.s.FinishRequest(w.ctx, x.Finish))
				got, err := w.s.Consent(w.ctx, x.id, tc.client)
				if !tc.kept {
					w.is(err, storage.ErrNotFound)
					continue
				}
				w.ok(err)
				same(w, got, *x.Consent)
			}
		})
	}
}

// A change that asks users again deletes what they allowed before.
func consentRace(w *fixture) {
	const id = storage.ClientID("racing")
	was := storage.Client{ID: id, UpdatedAt: w.now, Registration: &storage.Registration{}}
	w.ok(w.s.PutClient(w.ctx, was, nil))
	for n := range racers {
		x, since := w.ending(), was.UpdatedAt
		x.Consent.ClientID, x.ConsentSince = id, since
		next := was
		next.UpdatedAt = w.now.Add(time.Duration(n+1) * time.Second)
		var all sync.WaitGroup
		all.Go(func() { w.ok(w.s.FinishRequest(w.ctx, x.Finish)) })
		all.Go(func() { w.ok(w.s.ReplaceRegistration(w.ctx, next, was.UpdatedAt, true, nil)) })
		all.Wait()
		_, err := w.s.Consent(w.ctx, x.id, id)
		w.is(err, storage.ErrNotFound)
		was = next
	}
}
