package main

import (
	"encoding/json"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/admin"
)

func TestAuditTrailIsSearched(t *testing.T) {
	o := newFixtureWithClients(t)
	o.must("user", "create", "--username", "alice")
	alice := string(o.account("alice").User.ID)
	o.must("user", "disable", "alice")
	lines := func(args ...string) []admin.Event {
		t.Helper()
		var out []admin.Event
		for line := range strings.Lines(o.must(append([]string{"events", "--json"}, args...)...)) {
			var v admin.Event
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			out = append(out, v)
		}
		return out
	}
	for _, tc := range []struct {
		name string
		args string
		want int
	}{
		{"of a user by name", "--user alice", 2},
		{"of a user by id", "--user " + alice, 2},
		{"of a kind", "--kind user.changed", 1},
		{"of a user and a kind", "--user alice --kind user.created", 1},
		{"of a client", "--client office", 1},
		{"the newest only", "--limit 1", 1},
		{"since an hour", "--since 1h --user alice", 2},
		{"since a week", "--since 7d --user alice", 2},
		{"since just now", "--since 0s", 0},
		{"since a future day", "--since 2999-01-01", 0},
		{"since a moment", "--since 2020-01-01T10:00:00Z --user alice", 2},
		{"of an unknown user", "--user 00000000-0000-4000-8000-000000000000", 0},
	} {
		if got := lines(strings.Fields(tc.args)...); len(got) != tc.want {
			t.Errorf("%s: %d events, want %d: %+v", tc.name, len(got), tc.want, got)
		}
	}
	newest := lines("--limit", "1")[0]
	if newest.Kind != mfa.EventUserChanged || newest.Actor != "admin" || newest.UserAgent != "sallyport user disable" || newest.Detail["change"] != "disabled" {
		t.Errorf("newest: %+v", newest)
	}
	if out := o.must("events", "--user", "alice"); !strings.Contains(out, "AT ") || !strings.Contains(out, "change=disabled") || strings.Count(out, "\n") != 3 {
		t.Errorf("table: %s", out)
	}
	o.must("user", "delete", "--yes", "alice")
	if got := lines("--user", alice); len(got) != 3 {
		t.Errorf("of a deleted user: %+v", got)
	}
	o.rejects([]refused{
		{"an unknown name", "", cli.ExitFailed, "no such user", []string{"events", "--user", "alice"}},
		{"an invalid time", "", cli.ExitUsage, "--since must be", []string{"events", "--since", "yesterday"}},
		{"a limit of nothing", "", cli.ExitUsage, "--limit", []string{"events", "--limit", "0"}},
		{"an argument", "", cli.ExitUsage, "1 arguments, want 0", []string{"events", "alice"}},
	})
}

func TestLongAuditTrailsArePaged(t *testing.T) {
	o := newFixture(t)
	o.withServer(func(h *server.Server) {
		var events []storage.Event
		for range eventsPage + 5 {
			events = append(events, h.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventClientFailed}))
		}
		if err := h.Store.AppendEvents(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	})
	for limit, want := range map[string]int{"1001": 1001, "9999": eventsPage + 5} {
		if got := strings.Count(o.must("events", "--json", "--kind", mfa.EventClientFailed, "--limit", limit), "\n"); got != want {
			t.Errorf("--limit %s: %d lines, want %d", limit, got, want)
		}
	}
}
