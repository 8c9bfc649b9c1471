package relational_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

func TestOpenErrorsHideDSN(t *testing.T) {
	for _, dsn := range []string{
		"", "mysql://root:topsecret@localhost", "sqlite:", "postgres://app:topsecret@localhost:notaport/db",
		"postgres://app:topsecret@localhost/db?sslmode=nonsense",
	} {
		_, err := relational.Open(t.Context(), dsn, keyring(t), relational.Options{})
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("Open(%q) = %v, want an error without the password", dsn, err)
		}
	}
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	dsn := engines()["SQLite"](t)
	open(t, dsn, keyring(t))
	path := strings.TrimPrefix(dsn, "sqlite:")
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, mode)
		}
	}
	db := direct(t, dsn)
	if mode := column(t, db, "PRAGMA journal_mode"); mode[0] != "wal" {
		t.Errorf("journal_mode = %s, want wal", mode[0])
	}
}

func TestNonDurableServerIsRefused(t *testing.T) {
	dsn := storagetest.Postgres(t)
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	change(t, direct(t, dsn), "ALTER DATABASE "+strings.TrimPrefix(address.Path, "/")+" SET synchronous_commit = off")
	_, err = relational.Open(t.Context(), dsn, keyring(t), relational.Options{})
	if err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("Open = %v, want a refusal that names synchronous_commit", err)
	}
}

// TestLostConnections: lost connections are replaced without a restart.
func TestLostConnections(t *testing.T) {
	dsn := storagetest.Postgres(t)
	e := open(t, dsn, keyring(t))
	if _, err := e.Versions(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := direct(t, dsn)
	change(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	_, err := e.Versions(t.Context())
	if err != nil { // the next call may get the lost connection
		_, err = e.Versions(t.Context())
	}
	if err != nil {
		t.Errorf("Versions = %v, want no error over a new connection", err)
	}
}

func TestEngineHidesDSN(t *testing.T) {
	e := open(t, storagetest.Postgres(t), keyring(t))
	if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, "postgres://") {
		t.Errorf("an engine prints its DSN: %s", text)
	}
}

// TestLockedRowDoesNotBlockForever: a statement that waits for a lock times out.
func TestLockedRowDoesNotBlockForever(t *testing.T) {
	dsn := storagetest.Postgres(t)
	e := open(t, dsn, keyring(t))
	l := newLogin()
	if err := e.CreateUser(t.Context(), l.newUser()); err != nil {
		t.Fatal(err)
	}
	for table, spend := range map[string]storage.Spend{
		"authenticators": {Credential: &storage.CredentialSpend{User: l.user, Authenticator: l.totp, Step: 1}},
		"users":          {MFAEnabled: l.user, Credential: &storage.CredentialSpend{User: l.user, Authenticator: l.totp, Secret: []byte("x")}},
	} {
		tx, err := direct(t, dsn).BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE "+table+" SET updated_at = updated_at"); err != nil {
			t.Fatal(err)
		}
		spend.Now = t0
		err = e.Spend(t.Context(), spend)
		if err == nil || errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Spend beside a lock on %s = %v, want an engine's error", table, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMigrations(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := keyring(t)
		e, err := relational.Open(t.Context(), dsn, k, relational.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if err := e.CheckSchema(t.Context()); err == nil {
			t.Error("an empty database passes the check")
		}
		if err := e.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate again = %v, want no error", err)
		}
		if err := e.CheckSchema(t.Context()); err != nil {
			t.Error(err)
		}
		if err := e.Unmigrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := e.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate after Unmigrate = %v, want no error", err)
		}
	})
}

func TestConcurrentMigrations(t *testing.T) {
	dsn := storagetest.Postgres(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			e, err := relational.Open(t.Context(), dsn, keyring(t), relational.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer e.Close()
			if err := e.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestTwoServers: what one of two servers has spent the other refuses.
func TestTwoServers(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := keyring(t)
		servers := []*relational.Engine{open(t, dsn, k), open(t, dsn, k)}
		l := newLogin()
		if err := servers[0].CreateUser(t.Context(), l.newUser()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			all.Go(func() {
				errs[i] = servers[i%2].Spend(t.Context(), storage.Spend{Now: t0, Events: []storage.Event{l.event()},
					Credential: &storage.CredentialSpend{User: l.user, Authenticator: l.totp, Step: 1}})
			})
		}
		all.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, storage.ErrConflict) {
				t.Errorf("got %v, want %v", err, storage.ErrConflict)
			}
		}
		if won != 1 {
			t.Errorf("%d of 16 callers on two servers accepted the same step, want 1", won)
		}
	})
}

// TestEmptyKeyring: without keys no capability is stored.
func TestEmptyKeyring(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		e := open(t, dsn, seal.New(nil, nil))
		l := newLogin()
		if err := e.OpenRequest(t.Context(), l.authRequest()); err == nil {
			t.Error("a request was stored without a hash")
		}
		if err := e.RevokeToken(t.Context(), "jti", t0, nil); err == nil {
			t.Error("a token was stored without a hash")
		}
		if _, _, err := e.Request(t.Context(), l.request, "", t0); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Request = %v, want %v", err, storage.ErrNotFound)
		}
	})
}

// TestStatusHasRequestHash: a status has the hash of its request.
func TestStatusHasRequestHash(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := keyring(t)
		e := open(t, dsn, k)
		l := newLogin()
		for _, s := range l.steps(t, e)[:6] {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
		s, _, err := e.StatusByExchange(t.Context(), l.status.Exchange, t0)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(s.RequestHash), string(k.Hash("request", string(l.request))); got != want {
			t.Errorf("RequestHash = %x, want %x", got, want)
		}
	})
}
