package main

import (
	"os"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa"
)

func TestSettingAPassword(t *testing.T) {
	o := newFixtureWithUsers(t)
	b := o.belongings("alice")
	if code, _, err := o.run(secondPass+"\n", "user", "set-password", "alice"); code != cli.ExitOK {
		t.Fatal(err)
	}
	if !o.proves("alice", secondPass) || o.remaining(b) != "" {
		t.Errorf("the new password counts: %v; alive: %q", o.proves("alice", secondPass), o.remaining(b))
	}
	o.must("user", "set-password", "alice", "--password-file", o.file("password", firstPass+"\n"))
	a := o.account("alice")
	if !o.proves("alice", firstPass) || len(a.Authenticators) != 3 || o.countEvents(mfa.EventPasswordChanged, a.User.ID) != 2 {
		t.Errorf("the password in the file does not count, or more than it changed: %+v", a.Authenticators)
	}
}

func TestPasswordIsNotReadFromATerminal(t *testing.T) {
	null, err := os.Open(os.DevNull) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	p, _, _ := testProgram()
	p.In = null
	if _, err := readPassword(p, "-"); err == nil || !strings.Contains(err.Error(), "would show") {
		t.Errorf("password from a terminal: %v", err)
	}
}
