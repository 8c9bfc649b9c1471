package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/admin"
)

func TestACounterAheadOfTheClockIsReset(t *testing.T) {
	o := newFixtureWithUsers(t)
	a := o.account("alice")
	var totp storage.Authenticator
	for _, x := range a.Authenticators {
		if x.Method == "totp" {
			totp = x
		}
	}
	present := func() int64 { return time.Now().Unix() / 30 }
	accept := func(step int64) error {
		var err error
		o.withServer(func(h *server.Server) {
			err = h.Store.Spend(t.Context(), storage.Spend{Now: time.Now(), Credential: &storage.CredentialSpend{User: a.User.ID, Authenticator: totp.ID, Step: step}})
		})
		return err
	}
	if err := accept(present() + 1000); err != nil {
		t.Fatal(err)
	}
	if out := o.must("user", "show", "alice"); !strings.Contains(out, "no code is accepted until") || !strings.Contains(out, "user reset-counters") {
		t.Errorf("alice: %s", out)
	}
	before := present()
	if out := o.must("user", "reset-counters", "alice"); !strings.Contains(out, "codes from now on are accepted") {
		t.Errorf("reset: %s", out)
	}
	if out := o.must("user", "reset-counters", "alice"); !strings.Contains(out, "no counter is ahead of the clock") {
		t.Errorf("reset again: %s", out)
	}
	var v admin.User
	o.read(&v, "user", "show", "alice")
	for _, f := range v.Factors {
		if f.AheadUntil != nil {
			t.Errorf("after the reset: %+v", f)
		}
	}
	if n := o.countEvents(mfa.EventUserChanged, a.User.ID); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	// What a phone shows now may have been used; what it shows next has not.
	if err := accept(before); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("the present step again: %v, want %v", err, storage.ErrConflict)
	}
	if err := accept(present() + 1); err != nil {
		t.Errorf("the next step: %v", err)
	}
}
