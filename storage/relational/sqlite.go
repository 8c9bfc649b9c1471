package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // driver of database/sql
)

const (
	sqliteDriver     = "sqlite"
	sqliteStatements = 256 // prepared in one connection
	sqliteOthers     = 4   // connections for migrations and backups
)

func (e *Engine) openSQLite(ctx context.Context, path string, o Options) error {
	if path == "" {
		return errors.New("sqlite: no path")
	}
	if exists(path + "-journal") {
		return e.openForWriting(ctx, path, o) // which ends the transaction that a crash cut off
	}
	address := readOnlyAddress(path)
	// A damaged page behind the first ones would otherwise show as an error of some request.
	err := check(ctx, address, "quick_check(1)")
	if now := readOnlyAddress(path); err != nil && now != address { // someone began to write meanwhile
		address, err = now, check(ctx, now, "quick_check(1)")
	}
	if err != nil {
		return fmt.Errorf("the database file does not pass SQLite's quick_check; restore a backup: %w", err)
	}
	if o.ReadOnly {
		e.reopen = func(ctx context.Context) error { return e.openForWriting(ctx, path, o) }
		return e.useSQLite(ctx, address, o)
	}
	return e.openForWriting(ctx, path, o)
}

func (e *Engine) openForWriting(ctx context.Context, path string, o Options) error {
	// SQLite would create a world-readable file; its journals get the mode of the file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return e.useSQLite(ctx, sqliteAddress(path), o)
}

// useSQLite makes the database at an address that of the engine.
func (e *Engine) useSQLite(ctx context.Context, address string, o Options) error {
	pool, err := sql.Open(sqliteDriver, address)
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(sqliteOthers)
	pool.SetMaxIdleConns(1)
	fs := &files{address: address, driver: pool.Driver()}
	e.pool, e.files, e.dialect, e.writer = pool, fs, sqliteDialect, make(chan struct{}, 1)
	e.close = func() error { return errors.Join(fs.close(), pool.Close()) }
	e.meter.open = func() int { return int(fs.open.Load()) }
	e.meter.busy = func() int { return len(e.slots) }
	e.meter.idle = func() int { return max(e.meter.open()-e.meter.busy(), 0) }
	e.schema = func() (schemaPool, error) {
		return schemaPool{db: pool, dialect: goose.DialectSQLite3, close: func() error { return nil }}, nil
	}
	if err := pool.PingContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("sqlite: %w", err), pool.Close())
	}
	return nil
}

func sqliteAddress(path string) string {
	return fileAddress(path, url.Values{
		"_pragma": {"busy_timeout(2000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock": {"immediate"}, // of migrations
	})
}

// readOnlyAddress returns the address of a database none of whose files change. One that does
// not exist is empty.
func readOnlyAddress(path string) string {
	settings := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(2000)"}}
	switch {
	case !exists(path):
		return "file::memory:"
	case !exists(path + "-wal"):
		settings.Set("immutable", "1") // otherwise even a reader creates the write-ahead log
	}
	return fileAddress(path, settings)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func fileAddress(path string, settings url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}).String()
}

// check runs a check of SQLite over a database.
func check(ctx context.Context, address, pragma string) error {
	db, err := sql.Open(sqliteDriver, address)
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(verdict)
	}
	return nil
}
