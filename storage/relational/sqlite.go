package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/glebarez/sqlite"
	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
)

// sqliteStatements bounds the cache of prepared statements.
const sqliteStatements = 256

func (e *Engine) openSQLite(ctx context.Context, path string, o Options) error {
	if path == "" {
		return errors.New("sqlite: no path")
	}
	// SQLite would create a world-readable file; its journals get the mode of the file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	e.pool, err = sql.Open(sqlite.DriverName, sqliteAddress(path))
	if err != nil {
		return err
	}
	e.pool.SetMaxOpenConns(o.MaxConns)
	e.pool.SetMaxIdleConns(o.MaxConns)
	e.dialect, e.close, e.writer = sqliteDialect, e.pool.Close, make(chan struct{}, 1)
	e.meter.open = func() int { return e.pool.Stats().OpenConnections }
	e.meter.idle = func() int { return e.pool.Stats().Idle }
	e.meter.busy = func() int { return e.pool.Stats().InUse }
	e.schema = func() (schemaPool, error) {
		return schemaPool{db: e.pool, dialect: goose.DialectSQLite3, close: func() error { return nil }}, nil
	}
	config := gormConfig(e.log)
	config.PrepareStmt, config.PrepareStmtMaxSize = true, sqliteStatements
	if e.db, err = gorm.Open(sqlite.Dialector{Conn: e.pool}, config); err != nil {
		_ = e.pool.Close()
		return fmt.Errorf("sqlite: %w", err)
	}
	return e.pool.PingContext(ctx)
}

func sqliteAddress(path string) string {
	settings := url.Values{
		"_pragma": {"busy_timeout(2000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock": {"immediate"}, // a transaction that begins with a read could not write later
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}).String()
}
