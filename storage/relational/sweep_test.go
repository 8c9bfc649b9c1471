package relational_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
)

// aged returns events, one per minute, the newest at now.
func aged(n int, now time.Time) []storage.Event {
	out := make([]storage.Event, n)
	for i := range out {
		at := now.Add(-time.Duration(n-1-i) * time.Minute)
		out[i] = storage.Event{ID: storage.EventID(storage.TimeOrdered(at, rand.Reader)), At: at, Kind: "aged", Outcome: "ok"}
	}
	return out
}

// TestOldEventsAreSwept: a sweep removes only events older than KeepEvents, a thousand at a time.
func TestOldEventsAreSwept(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := openWith(t, dsn, keyring(t), relational.Options{KeepEvents: 30 * time.Hour})
		all := aged(3000, t0)                      // 50 hours
		for part := range slices.Chunk(all, 250) { // as the journal writes them
			if err := e.AppendEvents(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		sweep := func() (int, int64) {
			before := e.Stats().Statements
			n, err := e.Sweep(t.Context(), t0, 5000)
			if err != nil {
				t.Fatal(err)
			}
			return n, e.Stats().Statements - before
		}
		n, took := sweep()
		none, least := sweep()
		if n != 1199 || none != 0 || took != least+1 {
			t.Errorf("swept %d by %d statements, then %d by %d; want the 1199 older than 30 hours, a thousand at a time, then none", n, took, none, least)
		}
		left, err := e.ListEvents(t.Context(), storage.EventFilter{To: t0.Add(-30*time.Hour + time.Minute), Limit: 10})
		if err != nil || len(left) != 1 || left[0].ID != all[1199].ID {
			t.Errorf("the oldest remaining is %+v, %v; want the line of just 30 hours ago", left, err)
		}
		if n := e.Swept()["events"]; n != 1199 {
			t.Errorf("%d counted, want 1199", n)
		}
	})
}

func TestEventsAreKeptForever(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		if err := e.AppendEvents(t.Context(), aged(1, t0.AddDate(-20, 0, 0))); err != nil {
			t.Fatal(err)
		}
		if n, err := e.Sweep(t.Context(), t0, 1000); n != 0 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}

// TestSweepOfEventsUsesIndex: sweeping events reads only the rows to remove.
func TestSweepOfEventsUsesIndex(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := openWith(t, dsn, keyring(t), relational.Options{KeepEvents: 30 * time.Hour})
		for n, at := 0, t0.Add(20*1000*time.Minute-30*time.Hour); n < 20; n++ {
			if err := e.AppendEvents(t.Context(), aged(1000, at.Add(-time.Duration(n)*1000*time.Minute))); err != nil {
				t.Fatal(err)
			}
		}
		text, args := e.SweepOf("events", "", t0.Add(20*time.Minute), 1000)
		wantRange(t, dsn, "events", text, args)
	})
}

// TestSweepOfGrantsUsesIndex: looking for codes that were not redeemed reads the grants of a
// few minutes.
func TestSweepOfGrantsUsesIndex(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		db := direct(t, dsn)
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5000 {
			id := storage.TimeOrdered(t0.Add(-time.Duration(i)*time.Minute), rand.Reader)
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO grants (id, client_id, auth, offline, refreshable, generation, rotated_at, refresh_until, "+
				"expires_at, created_at, revoked_at, revoke_reason, sweep_at) VALUES ('"+id+"', 'app', '{}', FALSE, FALSE, 0, 0, 0, 0, 0, 0, '', 0)"); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		text, args := e.SweepOf("grants", "redeemed_at = 0", t0, 1000)
		wantRange(t, dsn, "grants", text, args)
	})
}

// TestSweepOfClients: the grants of a client go first, in batches, and a client counts as removed when it is.
func TestSweepOfClients(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e, db := open(t, dsn, keyring(t)), direct(t, dsn)
		register := func(id storage.ClientID) {
			t.Helper()
			c := storage.Client{ID: id, Name: "App", CreatedAt: t0, UpdatedAt: t0, Registration: &storage.Registration{TokenHash: []byte{1}, At: t0, ExpiresAt: t0.Add(time.Hour)}}
			if err := e.RegisterClient(t.Context(), c, 1000, t0, nil); err != nil {
				t.Fatal(err)
			}
		}
		register("first")
		const grants, late = 2100, "4000000000000000" // microseconds: these grants have not expired
		var rows []string
		for range grants {
			rows = append(rows, "('"+storage.TimeOrdered(t0, rand.Reader)+"', 'first', '{}', FALSE, FALSE, 0, 0, "+late+", "+late+", 0, 0, '', "+late+", 1)")
		}
		change(t, db, "INSERT INTO grants (id, client_id, auth, offline, refreshable, generation, rotated_at, refresh_until, "+
			"expires_at, created_at, revoked_at, revoke_reason, sweep_at, redeemed_at) VALUES "+strings.Join(rows, ", "))
		refuse, allow := "CREATE TRIGGER refuse BEFORE DELETE ON clients BEGIN SELECT RAISE(ABORT, 'refused'); END", "DROP TRIGGER refuse"
		if !strings.HasPrefix(dsn, "sqlite:") {
			refuse = `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
				CREATE TRIGGER refuse BEFORE DELETE ON clients FOR EACH ROW EXECUTE FUNCTION refuse()`
			allow += " ON clients"
		}
		change(t, db, refuse)
		if n, err := e.Sweep(t.Context(), t0.Add(time.Hour), 1000); n != 0 || err == nil {
			t.Errorf("swept %d, %v; want an error and nothing swept", n, err)
		}
		left := 0
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM grants").Scan(&left); err != nil || left != 0 {
			t.Errorf("%d grants left, %v; want every batch removed before the client", left, err)
		}
		change(t, db, allow)
		register("second")
		register("third")
		swept, err := e.Sweep(t.Context(), t0.Add(time.Hour), 2)
		if n := e.Swept()["clients"]; swept != 3 || n != 3 || err != nil {
			t.Errorf("swept %d, %v, %d counted; want the one that failed and two more, found two at a time", swept, err, n)
		}
	})
}

// wantRange checks that a statement reads a range of a table's primary key.
func wantRange(t *testing.T, dsn, table, text string, args []any) {
	t.Helper()
	db, scan := direct(t, dsn), "Seq Scan on "+table
	if strings.HasPrefix(dsn, "sqlite:") {
		scan = "SCAN " + table
	}
	change(t, db, "ANALYZE "+table)
	if p := planOf(t, db, dsn, text, args...); strings.Contains(p, scan) || !strings.Contains(p, table+"_pkey") && !strings.Contains(p, "autoindex_"+table) {
		t.Errorf("the plan of %s is\n%s", text, p)
	}
}

// planOf returns the plan of a statement as text.
func planOf(t *testing.T, db *sql.DB, dsn, text string, args ...any) string {
	t.Helper()
	explain := "EXPLAIN "
	if strings.HasPrefix(dsn, "sqlite:") {
		explain = "EXPLAIN QUERY PLAN "
	}
	rows, err := db.QueryContext(t.Context(), explain+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&plan, *values[len(values)-1].(*any))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// TestSweepPassesLockedRows: a sweep waits for nobody, so that servers that sweep at the same time
// share the work.
func TestSweepPassesLockedRows(t *testing.T) {
	dsn := engines()["PostgreSQL"](t)
	e := openWith(t, dsn, keyring(t), relational.Options{KeepEvents: 30 * time.Hour})
	all := aged(20, t0.Add(-40*time.Hour))
	if err := e.AppendEvents(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	other, err := direct(t, dsn).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback() }()
	if _, err := other.ExecContext(t.Context(), "SELECT 1 FROM events WHERE id = '"+string(all[0].ID)+"' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Sweep(t.Context(), t0, 1000); n != 19 || err != nil {
		t.Errorf("swept %d, %v; want the 19 that nobody else removes", n, err)
	}
}
