package relational

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gorm.io/gorm"

	"sallyport/storage"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

func TestConnectionSettings(t *testing.T) {
	e, err := Open(t.Context(), storagetest.Postgres(t), seal.New(nil, nil), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for name, want := range map[string]string{
		"statement_timeout": "3s", "lock_timeout": "1s", "idle_in_transaction_session_timeout": "5s",
		"default_transaction_isolation": "read committed", "application_name": "sallyport",
	} {
		var got string
		if err := e.pool.QueryRowContext(t.Context(), "SHOW "+name).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

// state and code are errors like the two drivers'.
type state string

func (s state) Error() string    { return "server error " + string(s) }
func (s state) SQLState() string { return string(s) }

type code int

func (c code) Error() string { return fmt.Sprintf("file error %d", int(c)) }
func (c code) Code() int     { return int(c) }

func TestTranslateErrors(t *testing.T) {
	broken := errors.New("connection reset")
	for name, c := range map[string]struct {
		err, want error // want nil: unchanged
		again     bool
	}{
		"no error":                       {nil, nil, false},
		"a duplicate on PostgreSQL":      {state("23505"), storage.ErrConflict, false},
		"a duplicate on SQLite":          {code(2067), storage.ErrConflict, false},
		"a duplicate key on SQLite":      {code(1555), storage.ErrConflict, false},
		"a duplicate from GORM":          {gorm.ErrDuplicatedKey, storage.ErrConflict, false},
		"no such user on PostgreSQL":     {state("23503"), storage.ErrNotFound, false},
		"no such user on SQLite":         {code(787), storage.ErrNotFound, false},
		"no such user from GORM":         {gorm.ErrForeignKeyViolated, storage.ErrNotFound, false},
		"a serialization failure":        {fmt.Errorf("wrapped: %w", state("40001")), nil, true},
		"a deadlock":                     {state("40P01"), nil, true},
		"a busy file":                    {code(5), nil, true},
		"a busy snapshot":                {code(517), nil, true},
		"a locked table":                 {code(6), nil, true},
		"a statement that took too long": {state("57014"), nil, false},
		"a lost connection":              {broken, nil, false},
		"a file that is full":            {code(13), nil, false},
	} {
		got, want := translate(c.err), c.want
		if want == nil {
			want = c.err
		}
		if !errors.Is(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s: known = %v, want %v", name, got, want)
		}
		if again := transient(c.err); again != c.again {
			t.Errorf("%s: transient = %v, want %v", name, again, c.again)
		}
	}
}

func TestTransactionIsRetried(t *testing.T) {
	reported := map[string]int{}
	e, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "db"), seal.New(nil, nil), Options{
		Written: func(events []storage.Event) { reported[events[0].Kind] += len(events) }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		failures int
		err      error
		want     error
		tries    int
	}{
		"one deadlock":            {1, state("40P01"), nil, 2},
		"three failures":          {3, state("40001"), nil, 4},
		"four failures":           {4, state("40001"), state("40001"), 4},
		"a spent credential":      {9, storage.ErrConflict, storage.ErrConflict, 1},
		"a statement that failed": {9, state("57014"), state("57014"), 1},
	} {
		tries := 0
		err := e.step(t.Context(), "test", func(q querier) error {
			tries++
			if err := q.putEvents([]storage.Event{{ID: storage.FromBytes[storage.EventID]([16]byte{byte(tries)}), Kind: name}}); err != nil {
				return err
			}
			if tries <= c.failures {
				return c.err
			}
			return nil
		})
		if !errors.Is(err, c.want) || tries != c.tries {
			t.Errorf("%s: %v after %d tries, want %v after %d", name, err, tries, c.want, c.tries)
		}
		written, err := e.ListEvents(t.Context(), storage.EventFilter{Kind: name, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		if want := 1; c.want == nil && len(written) != want || c.want != nil && len(written) != 0 {
			t.Errorf("%s: %d tries left their writes", name, len(written))
		}
		if reported[name] != len(written) {
			t.Errorf("%s: reported %d events, wrote %d", name, reported[name], len(written))
		}
	}
	if got := e.Stats(); got.Retries != 1+3+3 || got.Failed != 2 {
		t.Errorf("stats = %+v, want 7 retries and 2 failures", got)
	}
}

func TestFullPoolTimesOut(t *testing.T) {
	e, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "db"), seal.New(nil, nil), Options{MaxConns: 1, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	release, err := e.acquire(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Versions(t.Context()); !errors.Is(err, errPool) {
		t.Errorf("Versions = %v, want %v", err, errPool)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Versions(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Versions = %v, want %v", err, context.Canceled)
	}
	if got := e.Stats(); got.Waits != 2 || got.Waited < slotWait || got.NoConnection != 1 || got.Cancelled != 1 {
		t.Errorf("stats = %+v, want two waits of at least %s in all", got, slotWait)
	}
	release()
	if _, err := e.Clock(t.Context()); err != nil {
		t.Errorf("Clock = %v, want no error once a connection is free", err)
	}
}
