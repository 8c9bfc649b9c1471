package main

import (
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
)

func TestUserCommandsRefuse(t *testing.T) {
	o := newFixtureWithUsers(t)
	long := strings.Repeat("x", 1025)
	o.rejects([]refused{
		{"no verb", "", cli.ExitUsage, "user: want one of list, show", []string{"user"}},
		{"an unknown verb", "", cli.ExitUsage, "see sallyport user -h", []string{"user", "destroy", "alice"}},
		{"no user", "", cli.ExitUsage, "user disable: 0 arguments, want 1", []string{"user", "disable"}},
		{"two users", "", cli.ExitUsage, "user disable: 2 arguments, want 1", []string{"user", "disable", "alice", "bob"}},
		{"a list of nothing", "", cli.ExitUsage, "--limit", []string{"user", "list", "--limit", "0"}},
		{"an unknown user", "", cli.ExitFailed, `user "bob": there is no such user`, []string{"user", "show", "bob"}},
		{"an unknown id", "", cli.ExitFailed, "there is no such user", []string{"user", "delete", "00000000-0000-4000-8000-000000000000"}},
		{"an invalid name", "", cli.ExitFailed, "there is no such user", []string{"user", "unlock", "a@b@c"}},
		{"an unknown user's factors", "", cli.ExitFailed, "there is no such user", []string{"user", "reset-factors", "bob"}},
		{"an unknown user's password", "long enough 1", cli.ExitFailed, "there is no such user", []string{"user", "set-password", "bob"}},
		{"no password", "", cli.ExitFailed, "exactly one line", []string{"user", "set-password", "alice"}},
		{"two passwords", "geheim geheim\ngeheim geheim\n", cli.ExitFailed, "exactly one line", []string{"user", "set-password", "alice"}},
		{"a short password", "geheim\n", cli.ExitFailed, "fewer than 8 characters", []string{"user", "set-password", "alice"}},
		{"a long password", long, cli.ExitFailed, "more than 1024 bytes", []string{"user", "set-password", "alice"}},
		{"a common password", "password123", cli.ExitFailed, "the password is a common one", []string{"user", "set-password", "alice"}},
		{"a password as an argument", "", cli.ExitUsage, "2 arguments, want 1", []string{"user", "set-password", "alice", "hunter2hunter2"}},
		{"a missing password file", "", cli.ExitFailed, "none.txt", []string{"user", "set-password", "alice", "--password-file", "none.txt"}},
		{"a user without a name", "", cli.ExitFailed, "user create: username", []string{"user", "create"}},
		{"a taken name", "", cli.ExitFailed, "another user has that name", []string{"user", "create", "--username", "ALICE"}},
		{"a taken id", "", cli.ExitFailed, "another user has that name or ID", []string{"user", "create", "--username", "bob", "--id", string(o.account("alice").User.ID)}},
		{"an id of another layout", "", cli.ExitFailed, "user create: id: must be 32 lower-case", []string{"user", "create", "--username", "bob", "--id", "42"}},
		{"every fault has a line", "geheim", cli.ExitFailed, "user create: email: must be an e-mail address\nuser create: password: ",
			[]string{"user", "create", "--username", "bob", "--email", "bobby", "--password-file", "-"}},
	})
	if !o.proves("alice", firstPass) {
		t.Error("a refused password became alice's")
	}
}
