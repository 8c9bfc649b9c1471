package storagetest

import (
	"encoding/json"
	"time"

	"sallyport/storage"
)

func sessions(w *fixture) {
	w.test("a valid session is returned with its account", sessionRoundTrip)
	w.test("malformed browser data does not break a session", func(w *fixture) {
		s := w.session(w.addUser())
		s.UserAgent, s.Address = "\xff\x00\u2028", "\x00"
		w.ok(w.s.CreateSession(w.ctx, s, []storage.Event{{ID: ordered[storage.EventID](w.now), Kind: "k", UserAgent: s.UserAgent, UserID: "no such\x00"}}))
	})
	w.test("one of concurrent updates of one generation succeeds", func(w *fixture) {
		s := w.signedIn(w.addUser())
		w.one(racers, func(i int) error {
			x := s
			x.Generation, x.UserAgent = 2, string(rune('a'+i))
			return w.s.UpdateSession(w.ctx, x, 1, nil)
		})
		x := s
		x.Generation = 7
		w.is(w.s.UpdateSession(w.ctx, x, 1, nil), storage.ErrConflict)
		x.UserID = random[storage.UserID]()
		w.is(w.s.UpdateSession(w.ctx, x, 2, nil), storage.ErrConflict)
	})
	w.test("valid sessions of a user are listed, newest first", func(w *fixture) {
		p := w.addUser()
		first := w.signedIn(p)
		w.now = w.now.Add(time.Minute)
		second, ended := w.signedIn(p), w.signedIn(p)
		w.ok(w.s.EndSession(w.ctx, ended.ID, false, w.now, nil))
		got, err := w.s.SessionsOf(w.ctx, p.id, w.now)
		w.ok(err)
		same(w, got, []storage.Session{second, first})
		got, err = w.s.SessionsOf(w.ctx, p.id, w.now.Add(time.Hour))
		w.ok(err)
		same(w, len(got), 0)
	})
	w.test("ending a session ends its grants, offline ones optionally", sessionGrants)
	w.test("and offline ones whose own client says so", offlineGrants)
	w.test("an expired session does not end its grants", func(w *fixture) {
		p := w.addUser()
		s := w.signedIn(p)
		id := w.granted(p, s.ID, false)
		_, _, err := w.s.Session(w.ctx, s.ID, s.ExpiresAt)
		w.is(err, storage.ErrNotFound)
		g, err := w.readGrant(id)
		w.ok(err)
		same(w, g.Alive(), true)
	})
	w.test("all sessions of a user but one end", otherSessions)
	w.test("and every grant and code of other sessions with them", otherGrants)
	w.test("a concurrently ended session gets no valid grant", endedWhileRedeeming)
	w.test("ending other sessions ends logins that did not begin in the kept one", unfinishedLogins)
	w.test("touching only advances a valid session", touching)
}

func touching(w *fixture) {
	p := w.addUser()
	s, idle, ended := w.signedIn(p), w.signedIn(p), w.signedIn(p)
	w.ok(w.s.EndSession(w.ctx, ended.ID, false, w.now, nil))
	forever := w.session(p)
	forever.IdleUntil = time.Time{}
	w.ok(w.s.CreateSession(w.ctx, forever, nil))
	seen := w.now.Truncate(time.Second).Add(10 * time.Minute)
	w.ok(w.s.TouchSessions(w.ctx, map[storage.SessionID]time.Time{
		s.ID: seen, forever.ID: seen, ended.ID: seen, "x": seen, idle.ID: seen.Add(time.Hour),
	}, 30*time.Minute))
	w.ok(w.s.TouchSessions(w.ctx, map[storage.SessionID]time.Time{s.ID: w.now}, 30*time.Minute))
	got, _, err := w.s.Session(w.ctx, s.ID, w.now)
	w.ok(err)
	same(w, got.LastSeenAt, seen)
	same(w, got.IdleUntil, seen.Add(30*time.Minute))
	got, _, err = w.s.Session(w.ctx, forever.ID, w.now)
	w.ok(err)
	same(w, got.LastSeenAt, seen)
	same(w, got.IdleUntil, time.Time{})
	got, _, err = w.s.Session(w.ctx, idle.ID, w.now)
	w.ok(err)
	same(w, got, idle)
	w.ok(w.s.TouchSessions(w.ctx, nil, time.Minute))
}

func sessionRoundTrip(w *fixture) {
	p, e := w.addUser(), w.event(person{})
	s := w.session(p)
	s.Address, s.UserAgent, s.Attributes = "192.0.2.1", "Mozilla \"5.0\"", json.RawMessage(`{"a":1}`)
	w.ok(w.s.CreateSession(w.ctx, s, []storage.Event{e}))
	same(w, w.logged(e), true)
	got, account, err := w.s.Session(w.ctx, s.ID, w.now)
	w.ok(err)
	same(w, got, s)
	same(w, account, w.account(p.id))
	for _, late := range []time.Time{s.IdleUntil, s.ExpiresAt} {
		_, _, err = w.s.Session(w.ctx, s.ID, late)
		w.is(err, storage.ErrNotFound)
	}
	for _, id := range malformed(string(s.ID)) {
		_, _, err = w.s.Session(w.ctx, storage.SessionID(id), w.now)
		w.is(err, storage.ErrNotFound)
		w.ok(w.s.EndSession(w.ctx, storage.SessionID(id), true, w.now, nil))
	}
	w.is(w.s.CreateSession(w.ctx, s, nil), storage.ErrConflict)
	w.is(w.s.CreateSession(w.ctx, w.session(person{id: random[storage.UserID]()}), nil), storage.ErrNotFound)
}

func sessionGrants(w *fixture) {
	p := w.addUser()
	s := w.signedIn(p)
	online, offline, other := w.granted(p, s.ID, false), w.granted(p, s.ID, true), w.granted(p, w.signedIn(p).ID, false)
	alive := func(id storage.GrantID, want bool) {
		w.Helper()
		g, err := w.readGrant(id)
		w.ok(err)
		same(w, g.Alive(), want)
	}
	w.ok(w.s.EndSession(w.ctx, s.ID, false, w.now, nil))
	alive(online, false)
	alive(offline, true)
	alive(other, true)
	w.ok(w.s.EndSession(w.ctx, s.ID, true, w.now, nil))
	alive(offline, false)
	alive(other, true)
}
