package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/gorm"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Options are the engine's settings.
type Options struct {
	MaxConns int          // connections to the database; 0: 16
	Logger   *slog.Logger // nil: no log
	// Now only measures how long calls wait for a connection, and how long a sweep is to rest; an engine has no clock.
	// nil: not measured.
	Now func() time.Time
	// Written, if not nil, is called after every commit with its events. It must not block.
	Written func([]storage.Event)
	// KeepEvents is how long lines of the audit trail are kept; 0: forever.
	KeepEvents time.Duration
	// Span, if not nil, is called when a call begins; the function it returns is called when
	// it ends. operation is one of a fixed set of names.
	Span func(ctx context.Context, operation string) (end func(error))
	// ReadOnly keeps the files of a SQLite database as they are until Writable is called, so
	// that a start can be refused without a trace. PostgreSQL ignores it.
	ReadOnly bool
}

// Engine is a storage.Store on one database.
type Engine struct {
	db      *gorm.DB // nil on SQLite
	pool    *sql.DB
	direct  *pgxpool.Pool // the same connections without database/sql; nil on SQLite
	pooled  bool          // they lead through PgBouncer: a statement prepared on one is unknown to its next session
	files   *files        // connections of calls on SQLite, where pool is for migrations and backups
	close   func() error
	reopen  func(context.Context) error // nil: the database is writable
	keyring *seal.Keyring
	log     *slog.Logger
	dialect dialect
	// schema opens the pool for migrations. It is a function, so that printing an Engine
	// does not print the password in the DSN.
	schema func() (schemaPool, error)
	slots  chan struct{} // one per connection
	writer chan struct{} // SQLite has one writer; nil on PostgreSQL

	o          Options
	meter      *meter
	statements statements
}

var _ storage.Store = (*Engine)(nil)

type dialect string

const (
	postgresDialect dialect = "postgres"
	sqliteDialect   dialect = "sqlite"
)

const defaultConns = 16

// Open connects to "postgres://..." or "sqlite:PATH". It does not migrate. Without keys in
// the keyring, records with hashes cannot be written or found.
func Open(ctx context.Context, dsn string, keyring *seal.Keyring, o Options) (*Engine, error) {
	if o.MaxConns <= 0 {
		o.MaxConns = defaultConns
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{keyring: keyring, log: o.Logger, slots: make(chan struct{}, o.MaxConns), o: o}
	e.meter = newMeter(e.sweepable(time.Time{}))
	var err error
	switch {
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		err = e.openPostgres(ctx, dsn, o)
	case strings.HasPrefix(dsn, "sqlite:"):
		err = e.openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"), o)
	default:
		err = errors.New("want postgres://... or sqlite:PATH")
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return e, nil
}

func gormConfig(log *slog.Logger) *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
		DisableAutomaticPing:   true,
		NowFunc:                func() time.Time { return time.Time{} }, // an engine has no clock
		Logger:                 slowLog{log: log},
	}
}

// Writable ends ReadOnly. Only the caller may use the engine meanwhile.
func (e *Engine) Writable(ctx context.Context) error {
	if e.reopen == nil {
		return nil
	}
	err := e.close()
	if err == nil {
		err = e.reopen(ctx)
	}
	if err != nil {
		return fmt.Errorf("open database for writing: %w", err)
	}
	e.reopen = nil
	return nil
}

// Close closes all connections.
func (e *Engine) Close() error {
	if err := e.close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// Clock returns the database's time.
func (e *Engine) Clock(ctx context.Context) (time.Time, error) {
	query := `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)`
	if e.dialect == sqliteDialect {
		query = `SELECT CAST(unixepoch('subsec') * 1000000 AS integer)`
	}
	var now int64
	err := e.read(ctx, "clock", func(q querier) error { return q.one(query, nil, &now) })
	return at(now), err
}
