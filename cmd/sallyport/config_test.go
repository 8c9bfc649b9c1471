package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
)

func TestSettingsAreChecked(t *testing.T) {
	o := newFixture(t)
	o.secrets = []string{"geheim"}
	if out := o.must("config", "check"); out != "The settings have no faults.\n" {
		t.Errorf("check: %s", out)
	}
	if out := o.must("config", "print"); !strings.Contains(out, "issuer: http://") {
		t.Errorf("print: %s", out)
	}
	open := o.file("open", "postgres://u:geheim@db/s\n")
	bad := o.file("bad", "mysql://u:geheim@db/s\n")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(o.dir, "keys")
	settings := func(name, more string) string {
		return o.file(name, "issuer: http://localhost\nkey_file: "+keys+"\n"+more+"admin_key_file: "+filepath.Join(o.dir, "admin")+"\n")
	}
	o.rejects([]refused{
		{"no verb", "", cli.ExitUsage, "config: want one of check, print", []string{"config"}},
		{"a missing file", "", cli.ExitFailed, "none.yaml", []string{"config", "check", "--config", filepath.Join(o.dir, "none.yaml")}},
		{"a secret that others can read, with its line", "", cli.ExitFailed, "a.yaml:4: database.dsn_file: others on this machine",
			[]string{"config", "check", "--config", settings("a.yaml", "database:\n  dsn_file: "+open+"\n")}},
		{"serve refuses the same", "", cli.ExitFailed, "a.yaml:4: database.dsn_file: others on this machine",
			[]string{"serve", "--config", filepath.Join(o.dir, "a.yaml")}},
		{"a malformed secret", "", cli.ExitFailed, "b.yaml:4: database.dsn_file: its content must begin",
			[]string{"config", "check", "--config", settings("b.yaml", "database:\n  dsn_file: "+bad+"\n")}},
		{"all faults together, each with a line", "", cli.ExitFailed, "c.yaml:3: template_dir: ",
			[]string{"config", "check", "--config", settings("c.yaml", "template_dir: /nowhere\ntls: {cert: "+bad+", key: "+open+"}\ndatabase: {dsn_file: /nowhere/dsn}\ntrusted_proxies: [0.0.0.0/0]\n")}},
		{"print refuses settings with faults", "", cli.ExitFailed, "issuer: is required", []string{"config", "print", "--config", o.file("d.yaml", "product: x\n")}},
	})
}

// Faults of all kinds are reported together, a line each.
func TestEveryFaultOfTheSettingsIsReported(t *testing.T) {
	o := newFixture(t)
	o.secrets = []string{"geheim"}
	open := o.file("open", "postgres://u:geheim@db/s\n")
	if err := os.Chmod(open, 0o604); err != nil {
		t.Fatal(err)
	}
	changeable := o.file("changeable", "x")
	if err := os.Chmod(changeable, 0o660); err != nil {
		t.Fatal(err)
	}
	file := o.file("all.yaml", "issuer: http://login.example.com\nisuer: x\ntotp_window: two\nlisten: localhost\ntemplate_dir: /nowhere\ntls:\n  cert: /nowhere/cert\n  key: "+
		open+"\nkey_file: "+changeable+"\ndatabase:\n  dsn_file: /nowhere/dsn\ntrusted_proxies: [0.0.0.0/0]\nlifetimes: {code: 1h}\nadmin_key_file: /nowhere/admin\n")
	want := []string{
		"sallyport: the settings have faults:",
		"SALLYPORT_KEYFILE: there is no such setting",
		"SALLYPORT_DRAIN_TIME: drain_time: must be a duration",
		"SALLYPORT_LOG_LEVEL: log_level: must be one of debug",
		"all.yaml:1: issuer: must begin with https://",
		"all.yaml:2: there is no such key; did you mean issuer?",
		"all.yaml:3: totp_window: must be a whole number",
		"all.yaml:4: listen: must be an address and a port",
		"all.yaml:5: template_dir: stat /nowhere",
		"all.yaml:7: tls.cert: open /nowhere/cert",
		"all.yaml:8: tls.key: others on this machine",
		"all.yaml:9: key_file: key file: mode 0660",
		"all.yaml:11: database.dsn_file: stat /nowhere/dsn",
		"all.yaml:12: trusted_proxies[0]: is the whole internet",
		"all.yaml:13: lifetimes.code: must be from",
		"all.yaml:14: admin_key_file: open /nowhere/admin",
	}
	for _, command := range []string{"serve", "config check"} {
		p, out, errOut := testProgram("SALLYPORT_KEYFILE=x", "SALLYPORT_LOG_LEVEL=loud", "SALLYPORT_DRAIN_TIME=geheim")
		if code := p.Main(t.Context(), commands(), append(strings.Fields(command), "--config", file)); code != cli.ExitFailed || out.Len() > 0 {
			t.Errorf("%s: exit code %d, standard output %q", command, code, out)
		}
		lines := strings.Split(strings.TrimSpace(errOut.String()), "\n")
		for i, line := range lines {
			if i >= len(want) || !strings.Contains(line, want[i]) {
				t.Errorf("%s: line %d: %q, want %q in it", command, i+1, line, append(want, make([]string, len(lines))...)[i])
			}
		}
		if len(lines) != len(want) {
			t.Errorf("%s: %d lines, want %d", command, len(lines), len(want))
		}
	}
}

func TestReferenceIsEmbedded(t *testing.T) {
	for args, want := range map[string]string{
		"config reference":                  "lifetimes.access_token  (duration; default 10m; 1m to 1h)\n    SALLYPORT_LIFETIMES_ACCESS_TOKEN\n",
		"config reference settings":         "issuer  (text)",
		"config reference state":            "clients[].redirect_uris  (list)",
		"config reference state --markdown": "| `totp_secret` | text | ",
	} {
		if out := run(t, strings.Fields(args)...); !strings.Contains(out, want) {
			t.Errorf("sallyport %s: %s, want %q in it", args, out, want)
		}
	}
	for _, args := range []string{"config reference nothing", "config reference state settings"} {
		p, _, err := testProgram()
		if code := p.Main(t.Context(), commands(), strings.Fields(args)); code != cli.ExitUsage {
			t.Errorf("sallyport %s: exit code %d, %s", args, code, err)
		}
	}
}

func TestHelpIsCompleteForEveryCommand(t *testing.T) {
	for args, want := range map[string]string{
		"help":                      "sallyport events",
		"help user":                 "sallyport user reset-factors USER",
		"user -h":                   "sallyport user set-password USER",
		"help user set-password":    "Usage: sallyport user set-password USER [flags]",
		"client -h":                 "rotate-secret CLIENT --out FILE",
		"help client rotate-secret": "-finish",
		"session --help":            "sallyport session end SESSION",
		"session end-all -h":        "-offline",
		"events -h":                 "-since",
		"config help":               "sallyport config check",
		"config print -h":           "-config",
		"help apply":                "-replace-credentials",
		"apply -h":                  "-prune",
		"serve -h":                  "sallyport config check",
		"help version":              "sallyport version",
	} {
		p, out, err := testProgram()
		if code := p.Main(t.Context(), commands(), strings.Fields(args)); code != cli.ExitOK || !strings.Contains(out.String(), want) || err.Len() > 0 {
			t.Errorf("sallyport %s: exit code %d, %q, %q; want %q", args, code, out, err, want)
		}
	}
}
