package relational_test

import (
	"errors"
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
