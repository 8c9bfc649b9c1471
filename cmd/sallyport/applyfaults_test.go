package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
)

func TestApplyReportsEveryFault(t *testing.T) {
	o := newFixtureWithState(t)
	o.must("user", "create", "--username", "carol")
	file := o.file("faulty.yaml", `clients:
  - client_id: fresh
    publik: true
  - client_id: sallyport-account
    public: true
    redirect_uris: [https://shop.example.com/cb]
users:
  - username: alice
    email: carol@example.com
  - username: bob
    id: 00000000-0000-4000-8000-00000000000b
  - username: dora
    id: 00000000-0000-4000-8000-00000000000a
  - username: carol
    email: alice@example.com
  - username: erin
    password: password123
    totp_digits: 7
  - username: "fran\u00adk"
  - username: "ｅrin"
  - username: greg
    password_hash: $argon2id$geheim
  - username: hugo
    recovery_codes: [geheim_geheim]
    totp_algorithm: MD5
    roles: [admin, admin]
`)
	code, out, err := o.run("", "apply", "--config", o.settings, file)
	if code != cli.ExitFailed || out != "" {
		t.Errorf("exit code %d, standard output %q", code, out)
	}
	want := []string{
		"the desired state has faults:",
		"faulty.yaml:2: clients[0]: a confidential client needs",
		"faulty.yaml:2: clients[0].redirect_uris: is required",
		"faulty.yaml:3: clients[0]: there is no such key; did you mean public?",
		"faulty.yaml:4: clients[1].client_id: belongs to the server itself",
		"faulty.yaml:10: users[1].username: user ",
		"faulty.yaml:12: users[2]: is the same user as users[0]",
		"faulty.yaml:15: users[3].email: user 00000000-0000-4000-8000-00000000000a has this name, and is another user",
		"faulty.yaml:16: users[4].totp_secret: is required",
		"faulty.yaml:17: users[4].password: the password is a common one",
		"faulty.yaml:18: users[4].totp_digits: must be 6 or 8",
		"faulty.yaml:19: users[5].username: is not an e-mail address",
		"faulty.yaml:20: users[6].username: users[4] has this name",
		"faulty.yaml:22: users[7].password_hash: not a password hash we know",
		"faulty.yaml:23: users[8].totp_secret: is required",
		"faulty.yaml:24: users[8].recovery_codes[0]: must be 8 to 64 letters (A to Z) and digits",
		"faulty.yaml:25: users[8].totp_algorithm: must be one of SHA1, SHA256, SHA512",
		"faulty.yaml:26: users[8].roles: a role is there twice",
	}
	lines := strings.Split(strings.TrimSpace(err), "\n")
	for i, line := range lines {
		if i >= len(want) || !strings.Contains(line, want[i]) {
			t.Errorf("line %d: %q, want %q in it", i+1, line, append(want, make([]string, len(lines))...)[i])
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d", len(lines), len(want))
	}
	if out := o.must("apply", filepath.Join(o.dir, "state.yaml")); out != "user carol: not in the file, kept\nNothing to do.\n" {
		t.Errorf("the faulty file changed something: %s", out)
	}
}

func TestApplyRefusesAFaultyFileAsAWhole(t *testing.T) {
	settings, _, _ := servertest.NewInstallation(t)
	file := filepath.Join(filepath.Dir(settings), "state.yaml")
	if err := os.WriteFile(file, []byte("clients:\n  - client_id: shop\n    publik: true\nusers:\n  - username: alice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _, errOut := testProgram()
	if code := p.Main(context.Background(), commands(), []string{"apply", "--config", settings, file}); code != cli.ExitFailed {
		t.Errorf("exit code %d, want %d", code, cli.ExitFailed)
	}
	if !strings.Contains(errOut.String(), "state.yaml:3: clients[0]: there is no such key; did you mean public?") {
		t.Errorf("error = %s", errOut)
	}
}
