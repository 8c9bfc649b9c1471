package main

import (
	"slices"
	"sync"
	"testing"
	"time"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
	"sallyport/storage"
)

const day = 24 * time.Hour

// servers are servers that share a database and a clock.
type servers struct {
	t       *testing.T
	c       *servertest.Clock
	servers []servertest.Server
}

func newServers(t *testing.T, settings string, n int) servers {
	t.Helper()
	s := servers{t: t, c: new(servertest.Clock)}
	for range n {
		s.servers = append(s.servers, servertest.New(t, settings, s.c))
	}
	return s
}

// rotateDue lets all of them rotate due keys concurrently, several times.
func (s servers) rotateDue() {
	s.t.Helper()
	var wg sync.WaitGroup
	for _, one := range s.servers {
		wg.Go(func() {
			for range 3 {
				if err := one.Keys.RotateDue(s.t.Context()); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, one := range s.servers {
		one.Poll()
	}
}

// keyCounts counts the keys of each use.
func (s servers) keyCounts() map[string]int {
	s.t.Helper()
	rows, err := s.servers[0].Store.Keys(s.t.Context(), time.Time{})
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]int{}
	for _, k := range rows {
		out[k.Use]++
	}
	return out
}

// One of eight servers rotates, when the keys are due and not before.
func TestSigningKeysRotateAutomatically(t *testing.T) {
	servertest.OnBothUnstarted(t, func(t *testing.T, settings string) {
		s := newServers(t, settings, 8)
		s.c.Move(89*day - time.Minute)
		s.rotateDue()
		if got := s.servers[0].Published("RS256"); len(got) != 1 {
			t.Errorf("after 89 days %d keys, want 1", len(got))
		}
		_, old := s.servers[0].Token()
		s.c.Move(2 * time.Minute)
		s.rotateDue()
		for _, one := range s.servers {
			if rs, es := one.Published("RS256"), one.Published("ES256"); len(rs) != 2 || len(es) != 2 {
				t.Errorf("when they are due: %d and %d keys, want 2 and 2", len(rs), len(es))
			}
		}
		if events := s.servers[0].EventsOf(mfa.EventKeysRotated); len(events) != 3 || events[0].Actor != "system" {
			t.Errorf("%d events, want 3 by the system: two algorithms and the dialects", len(events))
		}
		s.c.Move(day)
		s.rotateDue()
		token, fresh := s.servers[0].Token()
		if fresh == old || !s.servers[1].Active(token) {
			t.Errorf("signed with %s, before with %s; active elsewhere: %v", fresh, old, s.servers[1].Active(token))
		}
		s.servers[0].Keys.RotateAfter = 0
		s.servers[0].Keys.RotateOwnAfter = 0
		s.c.Move(1000 * day)
		if err := s.servers[0].Keys.RotateDue(t.Context()); err != nil || len(s.servers[0].EventsOf(mfa.EventKeysRotated)) != 3 {
			t.Errorf("rotated although rotation is off, %v", err)
		}
	})
}

// Data, session and token keys rotate after a year; what the old ones sealed or signed stays valid.
func TestKeysRotateAutomatically(t *testing.T) {
	servertest.OnBothUnstarted(t, func(t *testing.T, settings string) {
		s := newServers(t, settings, 8)
		for _, one := range s.servers {
			one.Keys.RotateAfter = 0
		}
		one := s.servers[0]
		session, sealed := one.Keyring.Token("session", [16]byte{1}, 1), []byte(nil)
		seal := func() {
			t.Helper()
			var err error
			if sealed, err = one.Keyring.Seal("p", "r", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		seal()
		s.c.Move(365*day - 2*time.Minute)
		s.rotateDue()
		if got := s.keyCounts(); got["session"] != 1 || got["data"] != 1 {
			t.Errorf("before they are due: %v", got)
		}
		s.c.Move(2 * time.Minute)
		s.rotateDue()
		got := s.keyCounts()
		for _, use := range []string{"session", "token", "data"} {
			if got[use] != 2 {
				t.Errorf("%d keys of use %s, want the old one and one next", got[use], use)
			}
		}
		for _, use := range []string{"hash", "pepper", "subject"} {
			if got[use] != 1 {
				t.Errorf("%d keys of use %s, want one", got[use], use)
			}
		}
		events := one.EventsOf(mfa.EventKeysRotated)
		if len(events) != 3 || slices.ContainsFunc(events, func(e storage.Event) bool { return e.Actor != "system" || e.Detail["active_at"] == "" }) {
			t.Errorf("events = %+v, want 3 by the system", events)
		}
		old := lastKey(one, "data")
		s.c.Move(2 * time.Minute)
		s.rotateDue()
		if lastKey(one, "data") == old || lastKey(s.servers[7], "data") != lastKey(one, "data") {
			t.Error("the next key is not used everywhere")
		}
		if plain, err := s.servers[7].Keyring.Open("p", "r", sealed); err != nil || string(plain) != "x" {
			t.Errorf("what the old key sealed: %q, %v", plain, err)
		}
		if _, _, ok := s.servers[7].Keyring.OpenToken("session", session); !ok {
			t.Error("a session of the old key became invalid with the rotation")
		}
		s.c.Move(3 * 365 * day)
		s.rotateDue()
		if _, err := one.Store.Keys(t.Context(), one.Now()); err != nil {
			t.Fatal(err)
		}
		if plain, err := one.Keyring.Open("p", "r", sealed); err != nil || string(plain) != "x" {
			t.Errorf("what the first key sealed, years later: %q, %v", plain, err)
		}
	})
}
