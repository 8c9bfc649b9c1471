package relational_test

import "testing"

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
			if statements != s.statements || commits != s.commits {
				t.Errorf("%s: %d statements and %d commits, want %d and %d", s.name, statements, commits, s.statements, s.commits)
			}
		}
	})
}
