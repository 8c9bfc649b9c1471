package main

import (
	"os"
	"strings"
	"testing"

	"sallyport/config"
)

// more adds settings to those of an installation.
func more(t *testing.T, settings, text string) {
	t.Helper()
	have, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, append(have, text...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whoever sets a password, and wherever: it is the same rule, and the words name it.
func TestOneRuleForEveryNewPassword(t *testing.T) {
	o := newOffice(t)
	more(t, o.settings, "passwords:\n  min_length: 13\n")
	const short, long = "twelve chars", "thirteen char"
	state := func(name, password string) string {
		return o.file(name, "users:\n  - {username: alice, password: "+password+"}\n")
	}
	o.must("apply", state("good.yaml", long))
	words := "the password has fewer than 13 characters"
	o.rejects([]refused{
		{"a new user", short, exitFailed, "password: " + words, []string{"user", "create", "--username", "bob", "--password-file", "-"}},
		{"another password", short, exitFailed, words, []string{"user", "set-password", "alice"}},
		{"a desired state", "", exitFailed, "users[0].password: " + words, []string{"apply", state("bad.yaml", short)}},
		{"one that replaces passwords", "", exitFailed, words, []string{"apply", "--replace-credentials", state("bad.yaml", short)}},
		{"what would be done", "", exitFailed, words, []string{"apply", "--dry-run", state("bad.yaml", short)}},
	})
	c := strictConsole(t, "passwords:\n  min_length: 13\n")
	carol := c.call("POST", "/users", map[string]any{"username": "carol", "password": long}).done(201, "created").User
	for _, call := range []struct {
		method, path string
		body         map[string]any
		code         int
	}{{"POST", "/users", map[string]any{"username": "dora", "password": short}, 400}, {"POST", "/users/" + string(carol) + "/password", map[string]any{"password": short}, 422}} {
		if r := c.call(call.method, call.path, call.body); r.code != call.code || !strings.Contains(string(r.raw), words) {
			t.Errorf("%s %s: %d %s", call.method, call.path, r.code, r.raw)
		}
	}
}

func TestTheLeastLengthHasBounds(t *testing.T) {
	for text, want := range map[string]string{"7": "must be from 8 to 64", "65": "must be from 8 to 64", "8": "", "64": "", "many": "whole number"} {
		_, err := config.Parse("s", []byte("passwords: {min_length: "+text+"}"), nil)
		if err == nil || strings.Contains(err.Error(), "passwords") != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("min_length: %s: %v, want %q", text, err, want)
		}
	}
}
