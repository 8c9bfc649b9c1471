package main

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
)

// Every way to set a password applies the same rule, and the error names it.
func TestOneRuleForEveryNewPassword(t *testing.T) {
	o := newFixture(t)
	servertest.AppendSettings(t, o.settings, "passwords:\n  min_length: 13\n")
	const short, long = "twelve chars", "thirteen char"
	state := func(name, password string) string {
		return o.file(name, "users:\n  - {username: alice, password: "+password+"}\n")
	}
	o.must("apply", state("good.yaml", long))
	words := "the password has fewer than 13 characters"
	o.rejects([]refused{
		{"a new user", short, cli.ExitFailed, "password: " + words, []string{"user", "create", "--username", "bob", "--password-file", "-"}},
		{"another password", short, cli.ExitFailed, words, []string{"user", "set-password", "alice"}},
		{"a desired state", "", cli.ExitFailed, "users[0].password: " + words, []string{"apply", state("bad.yaml", short)}},
		{"one that replaces passwords", "", cli.ExitFailed, words, []string{"apply", "--replace-credentials", state("bad.yaml", short)}},
		{"what would be done", "", cli.ExitFailed, words, []string{"apply", "--dry-run", state("bad.yaml", short)}},
	})
	c := servertest.NewAdminAPIWith(t, "passwords:\n  min_length: 13\n")
	carol := c.Call("POST", "/users", map[string]any{"username": "carol", "password": long}).Done(201, "created").User
	for _, call := range []struct {
		method, path string
		body         map[string]any
		code         int
	}{{"POST", "/users", map[string]any{"username": "dora", "password": short}, 400}, {"POST", "/users/" + string(carol) + "/password", map[string]any{"password": short}, 422}} {
		if r := c.Call(call.method, call.path, call.body); r.Code != call.code || !strings.Contains(string(r.Raw), words) {
			t.Errorf("%s %s: %d %s", call.method, call.path, r.Code, r.Raw)
		}
	}
}

// breachedFile is a file of one breached password.
func breachedFile(t *testing.T, plain string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sha1.txt")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%X:3\n", sha1.Sum([]byte(plain))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBreachedPasswordsAreRefusedEverywhere(t *testing.T) {
	const stolen, fresh = "stolen elsewhere qzvk", "in no breach qzvk"
	o := newFixture(t)
	o.secrets = []string{stolen, fresh}
	file := breachedFile(t, stolen)
	servertest.AppendSettings(t, o.settings, "passwords:\n  breached_file: "+file+"\n")
	state := func(name, password string) string {
		return o.file(name, "users:\n  - {username: alice, password: "+password+"}\n")
	}
	o.must("config", "check")
	o.must("apply", state("good.yaml", fresh))
	words := "the password is in the file of breached passwords"
	o.rejects([]refused{
		{"a new user", stolen, cli.ExitFailed, "password: " + words, []string{"user", "create", "--username", "bob", "--password-file", "-"}},
		{"another password", stolen, cli.ExitFailed, words, []string{"user", "set-password", "alice"}},
		{"a desired state", "", cli.ExitFailed, "users[0].password: " + words, []string{"apply", "--replace-credentials", state("bad.yaml", stolen)}},
	})
	if !o.proves("alice", fresh) {
		t.Error("a refused password became alice's")
	}
	c := servertest.NewAdminAPIWith(t, "passwords:\n  breached_file: "+file+"\n")
	alice := string(c.Call("POST", "/users", map[string]any{"username": "alice"}).Done(201, "created").User)
	refuses := func(code int, want string) {
		t.Helper()
		for path, body := range map[string]map[string]any{"/users/" + alice + "/password": {"password": stolen}, "/users": {"username": "bob", "password": stolen}} {
			r := c.Call("POST", path, body)
			if r.Code != code && r.Code != 400 || !strings.Contains(string(r.Raw), want) {
				t.Errorf("%s: %d %s, want %d %q", path, r.Code, r.Raw, code, want)
			}
			if code == 503 && (r.Code != 503 || r.Header.Get("Retry-After") != "60") {
				t.Errorf("%s: %d, Retry-After %q, want 503 and a minute", path, r.Code, r.Header.Get("Retry-After"))
			}
		}
	}
	refuses(422, words)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	words = "cannot be searched, so no new password is accepted"
	refuses(503, words)
	if log := c.Log.String(); !strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, "no such file") || strings.Contains(log, stolen) {
		t.Errorf("the log: %s", log)
	}
	o.rejects([]refused{
		{"without the file", fresh, cli.ExitFailed, words, []string{"user", "set-password", "alice"}},
		{"a desired state without the file", "", cli.ExitFailed, words, []string{"apply", "--replace-credentials", state("bad.yaml", stolen)}},
		{"a check", "", cli.ExitFailed, "passwords.breached_file: stat " + file, []string{"config", "check"}},
		{"a start", "", cli.ExitFailed, "passwords.breached_file: stat " + file, []string{"serve"}},
	})
	for text, want := range map[string]string{"password\n": "is no SHA-1", "": "no hash", strings.Repeat("F", 40) + "\n" + strings.Repeat("0", 40): "not sorted"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o.rejects([]refused{{"a check of " + want, "", cli.ExitFailed, want, []string{"config", "check"}}, {"a start with " + want, "", cli.ExitFailed, want, []string{"serve"}}})
	}
}

func TestMinimumPasswordLengthIsBounded(t *testing.T) {
	for text, want := range map[string]string{"7": "must be from 8 to 64", "65": "must be from 8 to 64", "8": "", "64": "", "many": "whole number"} {
		_, err := config.Parse("s", []byte("passwords: {min_length: "+text+"}"), nil)
		if err == nil || strings.Contains(err.Error(), "passwords") != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("min_length: %s: %v, want %q", text, err, want)
		}
	}
}
