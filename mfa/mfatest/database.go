package mfatest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sallyport/storage/relational"
	"sallyport/storage/seal"
)

// migrated is the file of an empty SQLite database with all tables. It is made once per test
// process: most tests would spend more time on the migrations than on what they test.
var migrated struct {
	once sync.Once
	file []byte
	err  error
}

// newSQLite returns the address of an empty database with all tables.
func newSQLite(t testing.TB, keyring *seal.Keyring) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	migrated.once.Do(func() { migrated.file, migrated.err = migrate(path, keyring) })
	must(t, migrated.err)
	must(t, os.WriteFile(path, migrated.file, 0o600))
	return "sqlite:" + path
}

func migrate(path string, keyring *seal.Keyring) ([]byte, error) {
	ctx := context.Background()
	store, err := relational.Open(ctx, "sqlite:"+path, keyring, relational.Options{})
	if err != nil {
		return nil, fmt.Errorf("open the database to copy: %w", err)
	}
	if err = store.Migrate(ctx); err != nil {
		_ = store.Close()
		return nil, fmt.Errorf("migrate the database to copy: %w", err)
	}
	// Closing moves the log into the file.
	if err := store.Close(); err != nil {
		return nil, fmt.Errorf("close the database to copy: %w", err)
	}
	return os.ReadFile(path)
}
