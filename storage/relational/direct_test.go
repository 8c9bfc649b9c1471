package relational_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/storagetest"
)

// TestAConditionFailsItsWholeMessage: where a conditional write among others changes no row,
// nothing of the step is kept, PostgreSQL's log says why, and the connection serves on.
func TestAConditionFailsItsWholeMessage(t *testing.T) {
	address, dir := storagetest.OwnPostgres(t)
	e := openWith(t, address, keyring(t), relational.Options{MaxConns: 1})
	l := newLogin()
	for _, s := range l.steps(t, e)[:2] {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	const line = `boolean: "no row changed, so nothing is written"`
	logged := func() int {
		text, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), line)
	}
	f := storage.Finish{Now: t0, Request: l.request, Version: 7, Session: &l.session, NewSession: true, Code: &l.grant, Events: []storage.Event{l.event()}}
	if err := e.FinishRequest(t.Context(), f); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("FinishRequest of another version = %v, want %v", err, storage.ErrConflict)
	}
	if got := logged(); got != 1 {
		t.Errorf("PostgreSQL logged %d lines with %q, want 1", got, line)
	}
	db := direct(t, address)
	for _, table := range []string{"sessions", "grants", "events"} {
		if got := column(t, db, "SELECT CAST(count(*) AS text) FROM "+table); got[0] != "0" {
			t.Errorf("%s has %s rows, want none", table, got[0])
		}
	}
	// Counters refuse without a line: anybody can make them.
	a := storage.Attempt{Throttles: []storage.Throttle{l.throttle()}, Address: l.address(), Now: t0}
	a.Address.Max = 1
	if err := e.CountFailure(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := e.CountAttempt(t.Context(), a); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("CountAttempt during the wait of an address = %v, want %v", err, storage.ErrConflict)
	}
	if got := logged(); got != 1 {
		t.Errorf("PostgreSQL logged %d lines after a refusal, want 1", got)
	}
	f.Version = 0
	if err := e.FinishRequest(t.Context(), f); err != nil {
		t.Errorf("FinishRequest over the same connection = %v", err)
	}
}

// TestTheFirstWriteThatFailsDecides: of two conditions that do not hold, the caller learns of
// the first.
func TestTheFirstWriteThatFailsDecides(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		if err := open(t, dsn, keyring(t)).TwoConditions(t.Context()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("two conditions = %v, want %v", err, storage.ErrNotFound)
		}
	})
}

// TestACommitThatFailsIsNoSuccess: PostgreSQL completes every statement and fails at the commit
// only, as a deferred constraint does.
func TestACommitThatFailsIsNoSuccess(t *testing.T) {
	dsn := storagetest.Postgres(t)
	e := open(t, dsn, keyring(t))
	change(t, direct(t, dsn), `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END $$;
		CREATE CONSTRAINT TRIGGER late AFTER INSERT ON grants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`)
	l := newLogin()
	err := e.FinishRequest(t.Context(), storage.Finish{Now: t0, Code: &l.grant, Events: []storage.Event{l.event()}})
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("FinishRequest = %v, want %v", err, storage.ErrUnavailable)
	}
	if _, err := e.Grant(t.Context(), l.grant.ID); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Grant = %v, want %v", err, storage.ErrNotFound)
	}
}

// TestAConnectionKeepsFewStatements: lists of many lengths are as many statements.
func TestAConnectionKeepsFewStatements(t *testing.T) {
	e := openWith(t, storagetest.Postgres(t), keyring(t), relational.Options{MaxConns: 1})
	n, err := e.PreparedStatements(t.Context(), 300)
	if err != nil {
		t.Fatal(err)
	}
	if n < 400 || n > 510 {
		t.Errorf("%d statements are prepared, want about 500", n)
	}
}

// TestAPanicLeavesNoLock: what a panic cut off is rolled back, and the next call writes.
func TestAPanicLeavesNoLock(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, keyring(t))
		l := newLogin()
		func() {
			defer func() { _ = recover() }()
			e.PanicAfter(t.Context(), l.event())
		}()
		if err := e.AppendEvents(t.Context(), []storage.Event{l.event()}); err != nil {
			t.Errorf("AppendEvents after a panic = %v", err)
		}
		if got, err := e.ListEvents(t.Context(), storage.EventFilter{Limit: 10}); err != nil || len(got) != 1 {
			t.Errorf("%d events, %v, want the one of the second call", len(got), err)
		}
	})
}
