package faults

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sallyport/storage/storagetest"
)

// sql runs statements directly on a database.
func sql(t *testing.T, address string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// TestFailover is R-7: a standby takes over, and the second host of the DSN is used within
// 5 s. Nothing acknowledged is lost, because the standby is synchronous.
func TestFailover(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		fail func(t *testing.T, primary *storagetest.Server, w *wire)
	}{
		{"primary crashed", func(t *testing.T, primary *storagetest.Server, _ *wire) { primary.Crash(t) }},
		{"host of the primary dead", func(_ *testing.T, _ *storagetest.Server, w *wire) { w.set(hole) }},
		{"primary only reads by now", func(t *testing.T, primary *storagetest.Server, _ *wire) {
			sql(t, primary.Address("postgres"), "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			primary, first := wired(t)
			standby := primary.Standby(t)
			second := newWire(t, standby.Socket())
			sql(t, primary.Address("postgres"), "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
			n := newCluster(t, plan{dsn: through(primary.Address("postgres"), first, second), users: 2})
			c, tokens := signedIn(t, n)

			tc.fail(t, primary, first)
			_, err := c.password("app", n.user(true))
			if codeOf(err) != http.StatusServiceUnavailable {
				t.Errorf("a login without a primary: %v, want 503", err)
			}
			standby.Promote(t)
			began := time.Now()
			again := n.user(false)
			var code string
			soon(t, "a login on the new primary", 20*time.Second, func() bool {
				code, err = n.caller(n.servers[0]).login("app", again)
				return err == nil
			})
			within(t, "R-7", "a whole login again, "+tc.name, time.Since(began), 5*time.Second)
			if _, err := c.redeem("app", code); err != nil {
				t.Errorf("its code: %v", err)
			}
			if ok, err := c.active("app", tokens.get("access_token")); !ok || err != nil {
				t.Errorf("a token from before the failover: active %t, %v", ok, err)
			}
			if _, err := c.refresh("app", tokens.get("refresh_token")); err != nil {
				t.Errorf("a refresh token from before the failover: %v", err)
			}
		})
	}
}

// refusesToStart runs a server that must exit with one line, and returns it.
func (s *server) refusesToStart() string {
	s.t.Helper()
	out, err := exec.Command(program, "serve", "--config", s.config).CombinedOutput()
	if err == nil {
		s.t.Fatalf("the server started and stopped:\n%s", out)
	}
	text := strings.TrimSpace(string(out))
	if strings.Contains(text, "\n") {
		s.t.Errorf("more than one line:\n%s", text)
	}
	return text
}

// TestStartRefused is R-2: a check that fails stops the start with one clear line.
func TestStartRefused(t *testing.T) {
	t.Parallel()
	address := storagetest.Postgres(t)
	n := setCluster(t, plan{dsn: address, users: 1})
	name := databaseOf(address)
	for _, tc := range []struct{ name, do, undo, want string }{
		{"commits that may be lost", "ALTER DATABASE " + name + " SET synchronous_commit = off", "ALTER DATABASE " + name + " RESET synchronous_commit", "synchronous_commit is off"},
		{"a clock that is 3 s ahead", skew(3), skew(0), "the clock differs from the database's by"},
		{"a clock that is 3 s behind", skew(-3), skew(0), "the clock differs from the database's by"},
		{"a schema that is too old", "DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)", "", "sallyport migrate"},
	} {
		if strings.Contains(tc.do, "skewed") {
			sql(t, address, clockOf(name)...)
		}
		sql(t, address, tc.do)
		if got := n.servers[0].refusesToStart(); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s, want %q in it", tc.name, got, tc.want)
		}
		if tc.undo != "" {
			sql(t, address, tc.undo)
		}
	}
}

// clockOf gives a database an adjustable clock: a function that shadows the built-in one.
func clockOf(name string) []string {
	return []string{
		"CREATE SCHEMA IF NOT EXISTS skewed",
		"CREATE TABLE IF NOT EXISTS skewed.clock (ahead interval NOT NULL)",
		"INSERT INTO skewed.clock SELECT '0' WHERE NOT EXISTS (SELECT 1 FROM skewed.clock)",
		`CREATE OR REPLACE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
			'SELECT pg_catalog.clock_timestamp() + (SELECT ahead FROM skewed.clock)'`,
		"ALTER DATABASE " + name + " SET search_path = public, skewed, pg_catalog",
	}
}

// databaseOf returns the database name of a DSN.
func databaseOf(address string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(address, "postgres://"), "?")
	return name[strings.LastIndex(name, "/")+1:]
}

func skew(seconds int) string {
	return fmt.Sprintf("UPDATE skewed.clock SET ahead = make_interval(secs => %d)", seconds)
}

// TestClocksDiffer is R-4: a server whose clock differs from the database's by more than 5 s
// is not ready and logs it; it is ready again when they agree.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	address := storagetest.Postgres(t)
	n := setCluster(t, plan{dsn: address, users: 2})
	name := databaseOf(address)
	sql(t, address, clockOf(name)...)
	s := n.servers[0]
	s.start()
	s.await()
	for _, tc := range []struct {
		seconds, want int
	}{{4, http.StatusOK}, {6, http.StatusServiceUnavailable}, {-6, http.StatusServiceUnavailable}, {0, http.StatusOK}} {
		sql(t, address, skew(tc.seconds))
		if got := s.health("/readyz"); got != tc.want {
			t.Errorf("%d s apart: readiness = %d, want %d", tc.seconds, got, tc.want)
		}
		if got := s.health("/healthz"); got != http.StatusOK {
			t.Errorf("%d s apart: liveness = %d, want 200", tc.seconds, got)
		}
	}
	// What a call to the database takes makes the difference a little smaller or larger.
	if !regexp.MustCompile(`"not ready","reason":"the clock differs from the database's by (5\.[5-9]|6\.|6s)`).MatchString(s.log.String()) {
		t.Error("the log does not say why the server is not ready")
	}
	signedIn(t, n)
	if !long() {
		return
	}
	sql(t, address, skew(6))
	took := soon(t, "an alert", 70*time.Second, func() bool {
		return strings.Contains(s.log.String(), `"level":"ERROR","msg":"the clock differs from the database's"`)
	})
	within(t, "R-4", "an alert of differing clocks", took, 65*time.Second)
}

// query returns the only value of a query.
func query(t *testing.T, address, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var out string
	if err := conn.QueryRow(ctx, text).Scan(&out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}
