package storagetest

import (
	"slices"
	"strings"
	"sync"
	"time"

	"sallyport/storage"
)

// signsIn stores a grant of a client in a session, whose tokens end at a time.
func (w *fixture) signsIn(p person, client storage.ClientID, session storage.SessionID, end time.Time) storage.Grant {
	w.Helper()
	g := w.grant(p, session, false)
	g.Authorization.ClientID, g.RefreshUntil, g.ExpiresAt, g.Refreshable = client, end, end, false
	w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g}))
	return g
}

// told leases the messages to clients about a user, of which there are few, and returns them in
// words; session names the sessions.
func (w *fixture) told(p person, session map[storage.SessionID]string) []string {
	w.Helper()
	list, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: w.now, For: time.Hour, Limit: 1000})
	w.ok(err)
	out := []string{}
	for _, m := range list {
		if m.Data[storage.LogoutUser] != string(p.id) {
			continue
		}
		line := m.Recipient
		if sid, ok := m.Data[storage.LogoutSession]; ok {
			line += " " + session[storage.SessionID(sid)]
		}
		out = append(out, line)
		if m.Template != storage.LogoutToken || !m.ExpiresAt.Equal(w.now.Add(storage.KeepLogout)) {
			w.Errorf("a message is %+v", m)
		}
		w.ok(w.s.SettleMessage(w.ctx, storage.Delivery{ID: m.ID, Attempt: 1, OK: true, Now: w.now}))
	}
	slices.Sort(out)
	return out
}

func logouts(w *fixture) {
	for _, c := range []storage.Client{
		{ID: "told", BackchannelLogoutURI: "https://a.example/out"},
		{ID: "strict", BackchannelLogoutURI: "https://b.example/out", BackchannelLogoutSessionRequired: true},
		{ID: "front", FrontchannelLogoutURI: "https://c.example/out"},
		{ID: "silent"},
	} {
		w.ok(w.s.PutClient(w.ctx, c, nil))
	}
	w.test("every way to end a session tells its clients", everyEnd)
	w.test("of concurrent callers who end a session one tells its clients", func(w *fixture) {
		p := w.addUser()
		for _, end := range []func(s storage.SessionID, now time.Time) error{
			func(s storage.SessionID, now time.Time) error {
				return w.s.EndSession(w.ctx, s, false, now, nil)
			},
			func(s storage.SessionID, now time.Time) error {
				return w.s.EndSession(w.ctx, s, now.Nanosecond()%2 == 0, w.now, nil) // all at the same time
			},
			func(_ storage.SessionID, now time.Time) error {
				return w.s.EndSessions(w.ctx, p.id, "", true, now, nil)
			},
		} {
			s := w.signedIn(p)
			w.signsIn(p, "told", s.ID, w.now.Add(time.Hour))
			w.winners(racers, func(i int) error { return end(s.ID, w.now.Add(time.Duration(i)*time.Microsecond)) })
			w.now = w.now.Add(time.Second)
			if got := w.toldLater(p); len(got) != 1 {
				w.Errorf("clients were told %q, want one message", got)
			}
		}
	})
	w.test("who ends one session and all of them at the same moment leaves no client untold", func(w *fixture) {
		p := w.addUser()
		s := w.signedIn(p)
		w.signsIn(p, "told", s.ID, w.now.Add(time.Hour))
		var all sync.WaitGroup
		all.Go(func() { w.ok(w.s.EndSession(w.ctx, s.ID, false, w.now, nil)) })
		all.Go(func() { w.ok(w.s.EndSessions(w.ctx, p.id, "", true, w.now.Add(time.Microsecond), nil)) })
		all.Wait()
		w.now = w.now.Add(time.Second)
		if got := w.toldLater(p); len(got) == 0 {
			w.Error("no client was told")
		}
	})
	w.test("a session remembers its clients as long as it lives, whatever their tokens", rememberedClients)
	w.test("clients with a front-channel are found by their session", func(w *fixture) {
		p := w.addUser()
		s, other := w.signedIn(p), w.signedIn(p)
		for _, client := range []storage.ClientID{"front", "front", "told", "silent"} {
			w.signsIn(p, client, s.ID, w.now.Add(time.Hour))
		}
		for id, want := range map[storage.SessionID][]storage.ClientID{s.ID: {"front"}, other.ID: nil, "no session": nil} {
			got, err := w.s.FrontchannelClients(w.ctx, id)
			w.ok(err)
			same(w, got, want)
		}
	})
}

// toldLater is told for messages whose times differ by little.
func (w *fixture) toldLater(p person) []string {
	w.Helper()
	list, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: w.now, For: time.Hour, Limit: 1000})
	w.ok(err)
	var out []string
	for _, m := range list {
		if m.Data[storage.LogoutUser] == string(p.id) {
			out = append(out, m.Recipient+" "+m.Data[storage.LogoutSession])
		}
	}
	return out
}

// everyEnd ends sessions A and B of a user, or one of them. Clients sign in with tokens that are
// valid, expired, revoked or never redeemed.
func everyEnd(w *fixture) {
	one := "strict A, told A"
	both := "strict A, strict B, told"
	for _, tc := range []struct {
		name string
		end  func(p person, a, b storage.SessionID) error
		want string
	}{
		{"a session", func(p person, a, _ storage.SessionID) error { return w.s.EndSession(w.ctx, a, false, w.now, nil) }, one},
		{"a session with offline access", func(p person, a, _ storage.SessionID) error { return w.s.EndSession(w.ctx, a, true, w.now, nil) }, one},
		{"another user's login in the browser", func(p person, a, _ storage.SessionID) error {
			return w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, EndSession: a})
		}, one},
		{"all but one", func(p person, _, b storage.SessionID) error { return w.s.EndSessions(w.ctx, p.id, b, true, w.now, nil) }, one},
		{"all but one, with a proof", func(p person, _, b storage.SessionID) error {
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, EndSessions: p.id, KeepSession: b})
		}, one},
		{"all but one, with a factor", func(p person, _, b storage.SessionID) error {
			a := w.authenticator(p.id, random[storage.AuthenticatorID](), "email", "another")
			w.ok(w.s.PutAuthenticator(w.ctx, a, nil, nil))
			return w.s.DeleteAuthenticator(w.ctx, storage.Removal{UserID: p.id, Authenticator: a.ID, EndSessions: b, Now: w.now})
		}, one},
		{"all", func(p person, _, _ storage.SessionID) error {
			return w.s.EndSessions(w.ctx, p.id, "", false, w.now, nil)
		}, both},
		{"all, with a proof", func(p person, _, _ storage.SessionID) error {
			return w.s.Spend(w.ctx, storage.Spend{Now: w.now, EndSessions: p.id})
		}, both},
		{"a change of the user", func(p person, _, _ storage.SessionID) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Kill: true, Now: w.now})
		}, both},
		{"the user", func(p person, _, _ storage.SessionID) error { return w.s.DeleteUser(w.ctx, p.id, w.now, nil) }, both},
	} {
		p, q := w.addUser(), w.addUser()
		a, b, foreign := w.signedIn(p), w.signedIn(p), w.signedIn(q)
		names := map[storage.SessionID]string{a.ID: "A", b.ID: "B", foreign.ID: "of another user"}
		w.signsIn(q, "told", foreign.ID, w.now.Add(time.Hour))
		for _, s := range []storage.SessionID{a.ID, b.ID} {
			w.signsIn(p, "told", s, w.now.Add(-time.Hour)) // its tokens have expired
			revoked := w.signsIn(p, "strict", s, w.now.Add(time.Hour))
			w.ok(w.s.RevokeGrant(w.ctx, revoked.ID, "revoked", w.now, nil))
			w.signsIn(p, "silent", s, w.now.Add(time.Hour))
			w.signsIn(p, "front", s, w.now.Add(time.Hour))
		}
		code := w.code(p, a.ID)
		code.Authorization.ClientID = "told"
		w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Code: code}))
		w.ok(tc.end(p, a.ID, b.ID))
		if got := strings.Join(w.told(p, names), ", "); got != tc.want {
			w.Errorf("%s ends: clients were told %q, want %q", tc.name, got, tc.want)
		}
		if tc.name != "the user" {
			w.now = w.now.Add(time.Second)
			w.ok(tc.end(p, a.ID, b.ID))
			if got := w.told(p, names); len(got) != 0 {
				w.Errorf("%s ends again: clients were told %q", tc.name, got)
			}
		}
		if got := w.told(q, names); len(got) != 0 {
			w.Errorf("%s ends: another user's clients were told %q", tc.name, got)
		}
	}
}

func rememberedClients(w *fixture) {
	p := w.addUser()
	s := w.session(p)
	s.ExpiresAt, s.IdleUntil = w.now.Add(300*time.Hour), time.Time{}
	w.ok(w.s.CreateSession(w.ctx, s, nil))
	first, second := w.signsIn(p, "told", s.ID, w.now.Add(time.Minute)), w.signsIn(p, "told", s.ID, w.now.Add(time.Minute))
	if second.ID < first.ID {
		first, second = second, first
	}
	silent := w.signsIn(p, "silent", s.ID, w.now.Add(time.Minute))
	later := w.now.Add(200 * time.Hour)
	_, err := w.s.Sweep(w.ctx, later, 1000)
	w.ok(err)
	for id, want := range map[storage.GrantID]error{first.ID: storage.ErrNotFound, second.ID: nil, silent.ID: storage.ErrNotFound} {
		_, err := w.readGrant(id)
		w.is(err, want)
	}
	w.now = later
	w.ok(w.s.EndSession(w.ctx, s.ID, false, w.now, nil))
	same(w, w.told(p, map[storage.SessionID]string{s.ID: "A"}), []string{"told A"})
	_, err = w.s.Sweep(w.ctx, later.Add(time.Hour), 1000)
	w.ok(err)
	_, err = w.readGrant(second.ID)
	w.is(err, storage.ErrNotFound)

	// A session whose end was known keeps what was stored with it.
	known := w.signedIn(p)
	g := w.grant(p, known.ID, false)
	g.Authorization.ClientID, g.RefreshUntil, g.ExpiresAt, g.SessionUntil = "silent", w.now, w.now, w.now.Add(100*time.Hour)
	w.ok(w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Grant: &g}))
	_, err = w.s.Sweep(w.ctx, w.now.Add(99*time.Hour), 1000)
	w.ok(err)
	_, err = w.readGrant(g.ID)
	w.ok(err)
}
