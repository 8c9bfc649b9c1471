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
)

// Two clients: one public, one with a secret.
func newFixtureWithClients(t *testing.T) *fixture {
	t.Helper()
	o := newFixture(t)
	o.secrets = []string{"geheim"}
	o.must("apply", o.file("state.yaml", `clients:
  - {client_id: shop, client_name: "Shop \u00a02J", public: true, redirect_uris: ["https://shop.example.com/cb"], mfa: ALWAYS}
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
		if strings.Contains(out, "\u00a0") || strings.Contains(out, "secret_hashes") {
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
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || len(fresh) != 64 || strings.Contains(out, fresh) {
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
	o.must("client", "delete", "--yes", "shop")
	if got := o.remaining(b); got != "session login" {
		t.Errorf("alive: %s, want the session and the login only", got)
	}
	if n := o.countEvents(mfa.EventClientDeleted, ""); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestASecretOfANewClientIsMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.secret")
	p, out, _ := testProgram()
	if code := p.Main(t.Context(), commands(), []string{"client", "secret"}); code != cli.ExitOK || len(out.String()) != 65 {
		t.Errorf("exit code %d, %d characters, want a line of 43", code, out.Len())
	}
	for _, want := range []int{cli.ExitOK, cli.ExitFailed} { // never replaced
		p, written, _ := testProgram()
		if code := p.Main(t.Context(), commands(), []string{"client", "secret", "--out", file}); code != want || written.Len() != 0 {
			t.Errorf("exit code %d, want %d; printed %q", code, want, written)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || len(text) != 65 || string(text) == out.String() {
		t.Errorf("the file has %d characters, %v, or an earlier secret", len(text), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the file: %v, %v", info, err)
	}
	state := filepath.Join(t.TempDir(), "clients.yaml")
	if err := os.WriteFile(state, []byte("clients: [{client_id: shop, client_secret: "+strings.TrimSpace(string(text))+", redirect_uris: [\"http://localhost:3000/callback\"]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := newFixture(t)
	o.secrets = []string{strings.TrimSpace(string(text))}
	o.must("apply", state)
}
