package main

import (
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/admin"
)

func TestRememberedDevicesAreListedAndForgotten(t *testing.T) {
	o := newFixtureWithClients(t)
	o.must("user", "create", "--username", "alice")
	alice := o.account("alice").User.ID
	now := time.Now().UTC().Truncate(time.Second)
	add := func(id storage.RememberedID) {
		t.Helper()
		d := storage.RememberedDevice{ID: id, UserID: alice, Generation: 1, Factor: storage.Factor{Method: "totp", At: now}, UserAgent: "Fire\x1bfox",
			CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour)}
		o.withServer(func(h *server.Server) {
			if err := h.Store.Spend(t.Context(), storage.Spend{Now: now, Remember: &d}); err != nil {
				t.Fatal(err)
			}
		})
	}
	one, two := storage.RememberedID("00000000-0000-0000-0000-000000000001"), storage.RememberedID("00000000-0000-0000-0000-000000000002")
	add(one)
	add(two)
	if out := o.must("session", "devices", "alice"); !strings.Contains(out, string(one)) || !strings.Contains(out, "totp") || strings.Contains(out, "\x1b") {
		t.Errorf("list: %q", out)
	}
	o.must("session", "forget", "alice", "--device", string(one))
	var list []admin.RememberedDevice
	if o.read(&list, "session", "devices", string(alice)); len(list) != 1 || list[0].ID != two {
		t.Errorf("after one is forgotten: %+v", list)
	}
	o.must("session", "forget", "alice")
	o.must("session", "forget", "alice")
	list = nil
	if o.read(&list, "session", "devices", "alice"); len(list) != 0 {
		t.Errorf("after all are forgotten: %+v", list)
	}
	if n := o.countEvents(mfa.EventDeviceForgotten, alice); n != 2 {
		t.Errorf("%d events, want one for each command that ended something", n)
	}
	o.rejects([]refused{
		{"a forgotten device", "", cli.ExitFailed, "no such", []string{"session", "forget", "alice", "--device", string(one)}},
		{"an unknown user", "", cli.ExitFailed, "no such user", []string{"session", "forget", "bob"}},
	})
}
