package relational_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/storagetest"
)

// TestACommitThatNoStandbyHasIsUnknown is R-6: the standby is gone, and the wait of every commit
// for it is cancelled, whereupon PostgreSQL reports success with a warning.
func TestACommitThatNoStandbyHasIsUnknown(t *testing.T) {
	server := storagetest.NewServer(t)
	db := direct(t, server.Address("postgres"))
	change(t, db, roleSettings)
	k := keyring(t)
	e := open(t, server.Address("postgres")+hidesWarnings(server.Address("postgres")), k)
	pooled, err := relational.Open(t.Context(), server.PgBouncer(t, "postgres"), k, relational.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pooled.Close()
	if err := e.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	change(t, db, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	change(t, db, "SELECT pg_reload_conf()")
	for name, e := range map[string]*relational.Engine{"directly": e, "through PgBouncer": pooled} {
		t.Run(name, func(t *testing.T) {
			inDoubt := 0
			l := newLogin()
			for _, s := range l.steps(t, e) {
				done, cancelled := make(chan error, 1), 0
				go func() { done <- s.do() }()
				var err error
				for running := true; running; {
					select {
					case err = <-done:
						running = false
					case <-time.After(5 * time.Millisecond):
						var n int
						if err := db.QueryRowContext(t.Context(), "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&n); err != nil {
							t.Fatal(err)
						}
						cancelled += n
					}
				}
				if cancelled > 0 {
					inDoubt++
				}
				if cancelled > 0 != errors.Is(err, storage.ErrUnavailable) || cancelled == 0 && err != nil {
					t.Errorf("%s, %d waits cancelled: %v", s.name, cancelled, err)
				}
			}
			if inDoubt < 10 {
				t.Errorf("%d commits were in doubt, want most of the steps", inDoubt)
			}
		})
	}
}

// TestWhatNoStandbyHasIsNotSettled is R-6: the server's own deadline leaves a commit on the primary,
// where others read it, and a caller who finds it there must not say that it will stay.
func TestWhatNoStandbyHasIsNotSettled(t *testing.T) {
	server := storagetest.NewServer(t)
	db := direct(t, server.Address("postgres"))
	change(t, db, roleSettings)
	k := keyring(t)
	e := open(t, server.Address("postgres"), k)
	pooled, err := relational.Open(t.Context(), server.PgBouncer(t, "postgres"), k, relational.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pooled.Close()
	change(t, db, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	change(t, db, "SELECT pg_reload_conf()")
	for name, e := range map[string]*relational.Engine{"directly": e, "through PgBouncer": pooled} {
		t.Run(name, func(t *testing.T) {
			// PostgreSQL's processes learn of the setting one after another: the first commits may not wait.
			token := name
			for began := time.Now(); ; token += "." {
				err := e.RevokeToken(t.Context(), token, time.Now().Add(time.Hour), nil)
				if errors.Is(err, storage.ErrUnavailable) {
					break
				}
				if err != nil || time.Since(began) > 10*time.Second {
					t.Fatalf("revocation: %v", err)
				}
			}
			var there bool
			for began := time.Now(); !there && time.Since(began) < 10*time.Second; time.Sleep(50 * time.Millisecond) {
				if there, err = e.TokenRevoked(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			if !there {
				t.Error("the commit in doubt is not on the primary")
			}
			if err := e.Settle(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("what only the primary has is settled: %v", err)
			}
		})
	}
}

// hidesWarnings is what an address gets so that sessions receive no warnings.
func hidesWarnings(address string) string {
	if strings.Contains(address, "?") {
		return "&client_min_messages=error"
	}
	return "?client_min_messages=error"
}

// TestAPooledRoleThatHidesWarningsIsRefused: through a pooler the role decides.
func TestAPooledRoleThatHidesWarningsIsRefused(t *testing.T) {
	server := storagetest.NewServer(t)
	change(t, direct(t, server.Address("postgres")), roleSettings+"; ALTER ROLE postgres SET client_min_messages = 'error'")
	e, err := relational.Open(t.Context(), server.PgBouncer(t, "postgres"), keyring(t), relational.Options{})
	if err == nil {
		_ = e.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "ALTER ROLE CURRENT_USER SET client_min_messages = 'notice';") {
		t.Errorf("error = %v", err)
	}
}
