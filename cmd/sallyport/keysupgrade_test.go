package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/storage/seal"
)

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
	servertest.OnBothUnstarted(t, func(t *testing.T, settings string) {
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
