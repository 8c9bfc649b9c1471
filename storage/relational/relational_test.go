package relational_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/relational"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// engines returns functions that create an empty database, by engine.
func engines() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{
		"SQLite":     func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "sally port?.db") },
		"PostgreSQL": storagetest.Postgres,
	}
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	for name, address := range engines() {
		t.Run(name, func(t *testing.T) { test(t, address(t)) })
	}
}

// keyring returns a keyring with one key of each use.
func keyring(tb testing.TB) *seal.Keyring {
	tb.Helper()
	k, _ := storagetest.Keyring(tb, t0)
	return k
}

// open returns a migrated engine.
func open(tb testing.TB, dsn string, k *seal.Keyring) *relational.Engine {
	tb.Helper()
	return openWith(tb, dsn, k, relational.Options{})
}

func openWith(tb testing.TB, dsn string, k *seal.Keyring, o relational.Options) *relational.Engine {
	tb.Helper()
	e, err := relational.Open(context.Background(), dsn, k, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := e.Migrate(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return e
}

// Conformance (Logout): Back-Channel Logout 2.5, 2.7: they are posted to all clients of the session, and to no others
func TestContract(t *testing.T) {
	for name, address := range engines() {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T) storage.Store { return open(t, address(t), keyring(t)) })
		})
	}
}
