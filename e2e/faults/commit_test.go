package faults

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestCommitUnknown is R-6: the connection is lost after COMMIT was sent. Nothing is
// issued, and what the commit spent counts as spent.
func TestCommitUnknown(t *testing.T) {
	t.Parallel()
	db, w := wired(t)
	n := newCluster(t, plan{dsn: through(db.Address("postgres"), w), users: 12})
	c := n.caller(n.servers[0])
	// Background tasks commit too: a round counts if the caller's commit was lost.
	loseCommit := func(t *testing.T, nth int, round func() (lose, again func() (reply, error)), want int) {
		t.Helper()
		for range 10 {
			lose, again := round()
			w.breakCommit(nth)
			r, err := lose()
			w.breakCommit(0)
			if err == nil {
				continue
			}
			if codeOf(err) != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
				t.Fatalf("the commit was lost: %v, want 503 with Retry-After", err)
			}
			if _, err := again(); codeOf(err) != want {
				t.Errorf("the same again: %v, want %d", err, want)
			}
			return
		}
		t.Fatal("no commit of a caller was lost")
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("code", func(t *testing.T) {
		loseCommit(t, 1, func() (lose, again func() (reply, error)) {
			code, err := c.login("app", n.user(false))
			ok(err)
			redeem := func() (reply, error) { return c.redeem("app", code) }
			return redeem, redeem
		}, http.StatusBadRequest)
	})
	t.Run("refresh token", func(t *testing.T) {
		loseCommit(t, 1, func() (lose, again func() (reply, error)) {
			code, err := c.login("app", n.user(false))
			ok(err)
			tokens, err := c.redeem("app", code)
			ok(err)
			refresh := func() (reply, error) { return c.refresh("app", tokens.get("refresh_token")) }
			return refresh, refresh
		}, http.StatusBadRequest)
	})
	t.Run("finish", func(t *testing.T) {
		loseCommit(t, 1, func() (lose, again func() (reply, error)) {
			_, err := c.password("app", n.user(false))
			ok(err)
			finish := func() (reply, error) { return c.step("/finish") }
			return finish, finish
		}, http.StatusGone)
	})
	t.Run("recovery code", func(t *testing.T) {
		loseCommit(t, 2, func() (lose, again func() (reply, error)) { // the first counts the attempt
			u := n.user(true)
			signIn := func() { _, err := c.password("vault", u); ok(err) }
			verify := func() (reply, error) {
				return c.step("/verify", "method", "recovery", "passcode", u.RecoveryCodes()[0])
			}
			signIn()
			return verify, func() (reply, error) { signIn(); return verify() }
		}, http.StatusUnprocessableEntity)
	})
}

// TestRetries is R-5: after a serialization failure or a deadlock a transaction is retried
// up to three times; then the response is 503 and nothing is done.
func TestRetries(t *testing.T) {
	t.Parallel()
	db, w := wired(t)
	address := db.Address("postgres")
	n := newCluster(t, plan{dsn: through(address, w), users: 8})
	c := n.caller(n.servers[0])
	sql(t, address, "CREATE SEQUENCE tries", "CREATE TABLE trouble (times int NOT NULL, state text NOT NULL)", "INSERT INTO trouble VALUES (0, '')",
		// A sequence keeps its count when a transaction is rolled back.
		`CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE x trouble; BEGIN SELECT * INTO x FROM trouble;
			IF nextval('tries') <= x.times THEN RAISE EXCEPTION 'trouble' USING ERRCODE = x.state; END IF; RETURN NEW; END $$`,
		"CREATE TRIGGER trouble BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION trouble()")
	for _, state := range []string{"40001", "40P01"} {
		for _, tc := range []struct{ times, want int }{{1, 0}, {3, 0}, {100, http.StatusServiceUnavailable}} {
			code, err := c.login("app", n.user(false))
			if err != nil {
				t.Fatal(err)
			}
			sql(t, address, "SELECT setval('tries', 1, false)", "DELETE FROM trouble", fmt.Sprintf("INSERT INTO trouble VALUES (%d, '%s')", tc.times, state))
			r, err := c.redeem("app", code)
			if codeOf(err) != tc.want || tc.want == 0 && err != nil {
				t.Errorf("%s %d times: %v, want %d", state, tc.times, err, tc.want)
			}
			if r.took > 3*time.Second {
				t.Errorf("%s %d times: after %s", state, tc.times, r.took)
			}
			sql(t, address, "UPDATE trouble SET times = 0")
			if _, err := c.redeem("app", code); tc.want != 0 && err != nil {
				t.Errorf("the code after the fault: %v", err)
			}
		}
	}
}
