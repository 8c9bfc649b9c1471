package relational_test

import (
	"strings"
	"testing"
)

// TestBudget checks the statements and commits of every step.
func TestBudget(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		for _, s := range newLogin().steps(t, e) {
			before := e.Stats()
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			after := e.Stats()
			statements, commits := after.Statements-before.Statements, after.Commits-before.Commits
			if s.name == "spend" && strings.HasPrefix(dsn, "postgres") {
				statements-- // locks the authenticators, which SQLite need not
			}
			if statements != s.statements || commits != s.commits {
				t.Errorf("%s: %d statements and %d commits, want %d and %d", s.name, statements, commits, s.statements, s.commits)
			}
		}
	})
}

// TestTheBudgetOfALoginInOneStep checks the only proof of a login, with its end.
func TestTheBudgetOfALoginInOneStep(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e, l := open(t, dsn, keyring(t)), newLogin()
		if err := e.CreateUser(t.Context(), l.newUser()); err != nil {
			t.Fatal(err)
		}
		before := e.Stats()
		if err := e.Spend(t.Context(), l.only()); err != nil {
			t.Fatal(err)
		}
		after := e.Stats()
		if s, c := after.Statements-before.Statements, after.Commits-before.Commits; s != 4 || c != 1 {
			t.Errorf("%d statements and %d commits, want the authenticator, the session, the grant and the events in 1", s, c)
		}
	})
}
