package main

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/admin"
)

// Two clients: one public, one with a secret.
func newFixtureWithClients(t *testing.T) *fixture {
	t.Helper()
	o := newFixture(t)
	o.secrets = []string{"geheim"}
	o.must("apply", o.file("state.yaml", `clients:
  - {client_id: shop, client_name: "Shop \u001b[2J", public: true, redirect_uris: ["https://shop.example.com/cb"], mfa: ALWAYS}
  - {client_id: office, client_secret: geheimgeheimgeheimgeheimgeheimge, redirect_uris: ["https://office.example.com/cb"], access_token_ttl: 5m}
`))
	return o
}

// good reports which secrets are valid.
func (o *fixture) good(id storage.ClientID, secrets ...string) string {
	o.Helper()
	var out []string
	o.withServer(func(h *server.Server) {
		c, err := h.Store.Client(o.Context(), id)
		if err != nil {
			o.Fatal(err)
		}
		for _, s := range secrets {
			sum := sha256.Sum256([]byte(s))
			found := "no"
			for _, hash := range c.SecretHashes {
				if string(hash) == string(sum[:]) {
					found = "yes"
				}
			}
			out = append(out, found)
		}
	})
	return strings.Join(out, " ")
}

func TestClientsAreShownWithoutSecrets(t *testing.T) {
	o := newFixtureWithClients(t)
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"client", "list"}, []string{"office", "confidential", "shop", "public", "ALWAYS", "active"}},
		{[]string{"client", "show", "office"}, []string{"access_token_ttl", `"5m0s"`, `["https://office.example.com/cb"]`, "secrets", "1"}},
		{[]string{"client", "show", "--json", "office"}, []string{`"client_id": "office"`, `"access_token_ttl": 300`, `"secrets": 1`}},
	} {
		out := o.must(tc.args...)
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v = %s, want %q in it", tc.args, out, want)
			}
		}
		if strings.Contains(out, "\x1b") || strings.Contains(out, "secret_hashes") {
			t.Errorf("%v = %q", tc.args, out)
		}
	}
	var all []json.RawMessage
	o.read(&all, "client", "list")
	if len(all) != 2 {
		t.Errorf("%d clients listed, want 2", len(all))
	}
}

func TestClientSecretRotatesWithoutAnOutage(t *testing.T) {
	const old = "geheimgeheimgeheimgeheimgeheimge"
	o := newFixtureWithClients(t)
	file := filepath.Join(o.dir, "new")
	out := o.must("client", "rotate-secret", "office", "--out", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fresh := strings.TrimSpace(string(text))
	o.secrets = append(o.secrets, fresh)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || len(fresh) != 43 || strings.Contains(out, fresh) {
		t.Errorf("the secret's file: %v, %v, %d characters", info.Mode(), err, len(fresh))
	}
	if got := o.good("office", fresh, old); got != "yes yes" {
		t.Errorf("new and old while rotating: %s", got)
	}
	// The desired state still has the old secret: apply must not undo the rotation.
	if out := o.must("apply", filepath.Join(o.dir, "state.yaml")); !strings.Contains(out, "Nothing to do.") || o.good("office", fresh, old) != "yes yes" {
		t.Errorf("apply while rotating: %s", out)
	}
	if out := o.must("client", "list"); !strings.Contains(out, "secret being rotated") {
		t.Errorf("list: %s", out)
	}
	other := filepath.Join(o.dir, "other")
	o.rejects([]refused{
		{"a second rotation", "", cli.ExitFailed, `client "office": a rotation is under way`, []string{"client", "rotate-secret", "office", "--out", other}},
		{"an existing file", "", cli.ExitFailed, "exist", []string{"client", "rotate-secret", "office", "--out", file}},
		{"both flags", "", cli.ExitUsage, "either --out FILE or --finish", []string{"client", "rotate-secret", "office", "--finish", "--out", other}},
		{"neither flag", "", cli.ExitUsage, "either --out FILE or --finish", []string{"client", "rotate-secret", "office"}},
		{"a public client", "", cli.ExitFailed, "it has no secret", []string{"client", "rotate-secret", "shop", "--out", other}},
		{"an unknown client", "", cli.ExitFailed, "there is no such client", []string{"client", "rotate-secret", "none", "--out", other}},
		{"an unknown client to show", "", cli.ExitFailed, "there is no such client", []string{"client", "show", "none"}},
		{"an unknown client to delete", "", cli.ExitFailed, "there is no such client", []string{"client", "delete", "none"}},
	})
	if _, err := os.Stat(other); err == nil {
		t.Error("a refused rotation left its file")
	}
	o.must("client", "rotate-secret", "office", "--finish")
	if got := o.good("office", fresh, old); got != "yes no" {
		t.Errorf("new and old at the end: %s", got)
	}
	o.rejects([]refused{{"a second --finish", "", cli.ExitFailed, "no rotation is under way", []string{"client", "rotate-secret", "office", "--finish"}}})
	if n := o.countEvents(mfa.EventClientChanged, ""); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	p, stdout, _ := testProgram("SALLYPORT_CONFIG=" + o.settings)
	if code := p.Main(t.Context(), commands(), []string{"client", "rotate-secret", "office", "--out", "-"}); code != cli.ExitOK || o.good("office", strings.TrimSpace(stdout.String())) != "yes" {
		t.Errorf("on standard output: %d %d bytes", code, stdout.Len())
	}
}

func TestDeletingAClientDeletesItsTokens(t *testing.T) {
	o := newFixtureWithClients(t)
	o.must("user", "create", "--username", "alice")
	b := o.belongings("alice")
	o.must("client", "delete", "shop")
	if got := o.alive(b); got != "session login" {
		t.Errorf("alive: %s, want the session and the login only", got)
	}
	if n := o.countEvents(mfa.EventClientDeleted, ""); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

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
	if got := o.alive(b); got != "offline login" {
		t.Errorf("after the end of the session: %s", got)
	}
	b = o.belongings("alice")
	o.must("session", "end", string(b.session), "--offline")
	if got := o.alive(b); got != "login" {
		t.Errorf("after its end with offline access: %s", got)
	}
	b = o.belongings("alice")
	o.must("session", "end-all", "alice")
	if got := o.alive(b); got != "offline" {
		t.Errorf("after the end of all: %s", got)
	}
	b = o.belongings("alice")
	o.must("session", "end-all", "alice", "--offline")
	if got := o.alive(b); got != "" {
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
	o.must("user", "delete", "alice")
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
