package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
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
	servertest.OnBoth(t, func(t *testing.T, settings string) {
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
		if events := s.servers[0].EventsOf(mfa.EventKeysRotated); len(events) != 2 || events[0].Actor != "system" {
			t.Errorf("%d events, want 2 by the system", len(events))
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
		if err := s.servers[0].Keys.RotateDue(t.Context()); err != nil || len(s.servers[0].EventsOf(mfa.EventKeysRotated)) != 2 {
			t.Errorf("rotated although rotation is off, %v", err)
		}
	})
}

// Data, session and token keys rotate after a year; what the old ones sealed or signed stays valid.
func TestKeysRotateAutomatically(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
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

// A data key as created by a server before XAES-256-GCM, and the line of its key file.
const (
	beforeKEK = "kek-a7f6b96f:nadcSE7M9DTDNZy7684wq+N5mWIlPH80FBVOdXr3YJY="
	beforeKey = "01e13409e24ee42b25c9b25d894220e1aa6819bf60190b6fbbac29d52b7063b259c070da3251dd4cde9550413344b7d3bda7e59421d4925ebf990d38fa"
)

// earlierVersion gives an installation the data key of an earlier version.
func earlierVersion(t *testing.T, settings string) {
	t.Helper()
	loaded, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(settings), "keys"), []byte(beforeKEK+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keks, err := seal.ReadKeyFile(loaded.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString(beforeKey)
	if err != nil {
		t.Fatal(err)
	}
	p, _, _ := testProgram()
	dsn, err := loaded.ReadDSN()
	if err != nil {
		t.Fatal(err)
	}
	engine, keyring, err := server.OpenEngine(t.Context(), server.Options{Config: loaded, DSN: dsn, KEKs: keks, Log: server.NewLog(t.Output(), "error"), Now: p.Now, Random: p.Random})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	rows, err := keyring.First(p.Now().Add(-time.Minute), loaded.SigningAlgs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range rows {
		if k.Use == "data" {
			rows[i].ID, rows[i].Alg, rows[i].Sealed = "01a19467-e800-703f-9b6e-8fd10459f735", "", sealed
		}
	}
	if err := engine.AddKeys(t.Context(), rows, true, nil); err != nil {
		t.Fatal(err)
	}
}

// After an upgrade, servers of the earlier version can serve for another day. All data stays
// readable after that day, and after everything is resealed.
func TestUpgradeRotatesTheDataKey(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		earlierVersion(t, settings)
		s := newServers(t, settings, 2)
		one := s.servers[0]
		servertest.Apply(t, settings, aliceState)
		loaded, err := config.Load(settings, nil)
		if err != nil {
			t.Fatal(err)
		}
		listen(one, loaded.Issuer)
		old := lastKey(one, "data")
		s.rotateDue()
		s.c.Move(day - time.Minute)
		s.rotateDue()
		if got := s.keyCounts(); got["data"] != 2 || lastKey(one, "data") != old {
			t.Fatalf("%d data keys, %s is used; want the next one to wait a day", got["data"], lastKey(one, "data"))
		}
		if !enters(one, loaded.Issuer, "totp", passcode(one)) {
			t.Error("Alice cannot sign in while the next key waits")
		}
		s.c.Move(2 * time.Minute)
		s.rotateDue()
		if lastKey(one, "data") == old {
			t.Fatal("the next key is not used after a day")
		}
		if !enters(one, loaded.Issuer, "totp", passcode(one)) {
			t.Error("Alice cannot sign in with a secret of the earlier version")
		}
		if err := one.Keys.ResealData(t.Context(), 10, t.Logf); err != nil {
			t.Fatal(err)
		}
		if err := one.Keys.CheckUnused(t.Context(), old); err != nil {
			t.Errorf("after everything was resealed: %v", err)
		}
		s.c.Move(time.Minute)
		if !enters(one, loaded.Issuer, "totp", passcode(one)) {
			t.Error("Alice cannot sign in with a resealed secret")
		}
		if events := one.EventsOf(mfa.EventKeysRotated); len(events) != 1 || !strings.HasPrefix(events[0].Detail["alg"], "XAES") {
			t.Errorf("events = %+v", events)
		}
	})
}
