package main

import (
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa"
	"sallyport/web/admin"
)

func TestSessionsAreListedAndEnded(t *testing.T) {
	o := newFixtureWithClients(t)
	o.must("user", "create", "--username", "alice")
	alice := o.account("alice").User.ID
	b := o.belongings("alice")
	out := o.must("session", "list", "alice")
	if !strings.Contains(out, string(b.session)) || !strings.Contains(out, "aal1") || strings.Contains(out, "\x1b") {
		t.Errorf("list: %q", out)
	}
	var list []admin.Session
	o.read(&list, "session", "list", string(alice))
	if len(list) != 1 || list[0].ID != b.session || list[0].Methods[0] != "password" {
		t.Errorf("list: %+v", list)
	}
	o.must("session", "end", string(b.session))
	if got := o.remaining(b); got != "offline login" {
		t.Errorf("after the end of the session: %s", got)
	}
	b = o.belongings("alice")
	o.must("session", "end", string(b.session), "--offline")
	if got := o.remaining(b); got != "login" {
		t.Errorf("after its end with offline access: %s", got)
	}
	b = o.belongings("alice")
	o.must("session", "end-all", "alice")
	if got := o.remaining(b); got != "offline" {
		t.Errorf("after the end of all: %s", got)
	}
	b = o.belongings("alice")
	o.must("session", "end-all", "alice", "--offline")
	if got := o.remaining(b); got != "" {
		t.Errorf("after the end of all with offline access: %s", got)
	}
	if n := o.countEvents(mfa.EventLogout, alice); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
	o.rejects([]refused{
		{"an ended session", "", cli.ExitFailed, "no such session, or it has ended", []string{"session", "end", string(b.session)}},
		{"an unknown session", "", cli.ExitFailed, "no such session", []string{"session", "end", "42"}},
		{"an unknown user", "", cli.ExitFailed, "no such user", []string{"session", "list", "bob"}},
		{"an unknown user's sessions", "", cli.ExitFailed, "no such user", []string{"session", "end-all", "bob"}},
	})
}
