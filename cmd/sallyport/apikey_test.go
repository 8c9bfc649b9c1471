package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/provider/apikeys"
	"sallyport/web/admin"
)

// may returns what the secret in a file may do at the admin API, such as "read write", or why it may do nothing.
func (o *fixture) may(file string) string {
	o.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		o.Fatal(err)
	}
	secret := strings.TrimSpace(string(text))
	o.secrets = append(o.secrets, secret)
	out := ""
	o.withServer(func(h *server.Server) {
		k, err := h.APIKeys.Authenticate(o.Context(), mfa.Caller{}, secret)
		if err != nil {
			out = err.Error()
			return
		}
		for _, verb := range []string{apikeys.VerbRead, apikeys.VerbWrite} {
			if k.Allows(apikeys.DialectAdmin, verb) {
				out += verb
			}
		}
	})
	return out
}

func TestAPIKeyLifecycle(t *testing.T) {
	o := newFixture(t)
	first, second, third := filepath.Join(o.dir, "first"), filepath.Join(o.dir, "second"), filepath.Join(o.dir, "third")
	out := o.must("apikey", "create", "--name", "Back office", "--dialect", "admin,streambird", "--verb", "read", "--app", "x", "--expires", "2999-01-31T18:00:00Z", "--out", first)
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(out, "created") || o.may(first) != "read" {
		t.Errorf("create: %s, %v, opens %s", out, err, o.may(first))
	}
	var k admin.APIKey
	o.read(&k, "apikey", "show", "Back office")
	if k.Name != "Back office" || k.App != "x" || k.Secrets != 1 || len(k.Dialects) != 2 {
		t.Errorf("show: %+v", k)
	}
	for _, tc := range []struct{ args, want string }{
		{"apikey list", "Back office"}, {"apikey list", "admin, streambird"}, {"apikey show " + string(k.ID), "2999-01-31T18:00:00Z"},
	} {
		if out := o.must(strings.Fields(tc.args)...); !strings.Contains(out, tc.want) {
			t.Errorf("%s = %s, want %q in it", tc.args, out, tc.want)
		}
	}
	o.must("apikey", "disable", "Back office")
	if got := o.may(first); !strings.Contains(got, "disabled") {
		t.Errorf("a disabled key: %s", got)
	}
	o.must("apikey", "enable", "Back office")
	o.must("apikey", "rotate-secret", "Back office", "--out", second)
	if o.may(first) != "read" || o.may(second) != "read" || !strings.Contains(o.must("apikey", "list"), "secret being rotated") {
		t.Error("want both secrets valid while rotating")
	}
	o.must("apikey", "rotate-secret", "Back office", "--withdraw")
	if o.may(first) != "read" || !strings.Contains(o.may(second), "no such API key") {
		t.Error("want the old secret alone valid")
	}
	o.must("apikey", "rotate-secret", "Back office", "--out", third)
	o.must("apikey", "rotate-secret", "Back office", "--finish")
	if !strings.Contains(o.may(first), "no such API key") || o.may(third) != "read" {
		t.Error("want the new secret alone valid")
	}
	none := filepath.Join(o.dir, "none")
	o.rejects([]refused{
		{"no place for the secret", "", cli.ExitUsage, "want --out FILE", []string{"apikey", "create", "--name", "x"}},
		{"an existing file", "", cli.ExitFailed, "exist", []string{"apikey", "create", "--name", "x", "--dialect", "admin", "--verb", "read", "--out", third}},
		{"a name that is taken", "", cli.ExitFailed, "has this name", []string{"apikey", "create", "--name", "Back office", "--dialect", "admin", "--verb", "read", "--out", none}},
		{"every fault has a line", "", cli.ExitFailed, "apikey create: dialects: must be one or more of admin, streambird and stytch, each once\napikey create: verbs: must be",
			[]string{"apikey", "create", "--name", "y", "--dialect", "cobol", "--verb", "fly", "--out", none}},
		{"two flags at once", "", cli.ExitUsage, "want one of --out FILE, --finish and --withdraw", []string{"apikey", "rotate-secret", "Back office", "--finish", "--withdraw"}},
		{"no flag", "", cli.ExitUsage, "want one of", []string{"apikey", "rotate-secret", "Back office"}},
		{"no rotation", "", cli.ExitFailed, "no rotation is under way", []string{"apikey", "rotate-secret", "Back office", "--finish"}},
		{"an unknown key", "", cli.ExitFailed, `API key "none": there is no such API key`, []string{"apikey", "show", "none"}},
	})
	if _, err := os.Stat(none); err == nil {
		t.Error("a refused key left its file")
	}
	o.must("apikey", "delete", "--yes", "Back office")
	if !strings.Contains(o.may(third), "no such API key") || o.countEvents(mfa.EventAPIKeyDeleted, "") != 1 || o.countEvents(mfa.EventAPIKeyCreated, "") != 1 {
		t.Error("want the key deleted, and an event of it")
	}
}
