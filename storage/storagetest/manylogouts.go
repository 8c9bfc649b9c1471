package storagetest

import (
	"strings"
	"sync"
	"time"

	"sallyport/storage"
)

// manyLogouts has a user with so many sessions, as a thief can open them, that their messages fit in no
// statement of an engine.
func manyLogouts(w *fixture) {
	for _, tc := range []struct {
		name     string
		sessions int
		end      func(p person, kept storage.SessionID) error
		want     map[string]int // messages with a session, and without
	}{
		{"all but one of many", 2600, func(p person, kept storage.SessionID) error {
			return w.s.EndSessions(w.ctx, p.id, kept, true, w.now, nil)
		}, map[string]int{"strict sid": storage.MaxLogouts, "strict": 1, "told": 1}},
		{"all of many", storage.MaxLogouts + 2, func(p person, _ storage.SessionID) error {
			return w.s.UpdateUser(w.ctx, storage.UserChange{ID: p.id, Kill: true, Now: w.now})
		}, map[string]int{"strict sid": storage.MaxLogouts, "strict": 1, "told": 1}},
	} {
		w.now = w.now.Add(time.Hour)
		p := w.addUser()
		oldest := w.signedIn(p)
		w.signsIn(p, "strict", oldest.ID, w.now.Add(time.Hour))
		w.now = w.now.Add(time.Second)
		w.signsInOften(p, tc.sessions-1)
		w.now = w.now.Add(time.Second)
		kept := w.signedIn(p)
		w.ok(tc.end(p, kept.ID))
		got, last := map[string]int{}, false
		for range 30 { // pages of the outbox
			list, err := w.s.LeaseMessages(w.ctx, storage.Lease{Kind: storage.BackchannelLogout, Now: w.now, For: time.Hour, Limit: 200})
			w.ok(err)
			for _, m := range list {
				if m.Data[storage.LogoutUser] != string(p.id) {
					continue
				}
				sid := m.Data[storage.LogoutSession]
				got[strings.TrimSpace(m.Recipient+map[bool]string{true: " sid"}[sid != ""])]++
				last = last || sid == string(oldest.ID)
			}
		}
		if len(got) != len(tc.want) || got["strict sid"] != tc.want["strict sid"] || got["strict"] != tc.want["strict"] || got["told"] != tc.want["told"] {
			w.Errorf("%s: clients were told %v, want %v", tc.name, got, tc.want)
		}
		if last {
			w.Errorf("%s: the oldest session has a message, and a newer one has none", tc.name)
		}
		if found, err := w.s.SessionsOf(w.ctx, p.id, w.now); err != nil || len(found) > 1 {
			w.Errorf("%s: %d sessions go on, %v", tc.name, len(found), err)
		}
	}
}

// signsInOften signs a user in n times, each time at two clients.
func (w *fixture) signsInOften(p person, n int) {
	w.Helper()
	const callers = 30
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for range n/callers + map[bool]int{true: 1}[i < n%callers] {
				s, strict, told := w.session(p), w.grant(p, "", false), w.grant(p, "", false)
				for client, g := range map[storage.ClientID]*storage.Grant{"strict": &strict, "told": &told} {
					g.Authorization.ClientID, g.Authorization.SessionID, g.Refreshable = client, s.ID, false
				}
				if err := w.s.FinishRequest(w.ctx, storage.Finish{Now: w.now, Session: &s, NewSession: true, Code: &strict, Grant: &told}); err != nil {
					w.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
