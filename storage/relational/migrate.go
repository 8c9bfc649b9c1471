package relational

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate migrates the schema and the names to this version, under an advisory lock on
// PostgreSQL, so that any number of servers of this version may start concurrently.
func (e *Engine) Migrate(ctx context.Context) error {
	err := e.migrating(func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
	if err != nil {
		return err
	}
	taken, err := e.CompareNames(ctx)
	for _, user := range taken {
		e.log.Warn("a name of this user is another user's, and no login finds it", "user", string(user))
	}
	return err
}

// Unmigrate reverts all migrations and drops all data.
func (e *Engine) Unmigrate(ctx context.Context) error {
	return e.migrating(func(p *goose.Provider) error {
		_, err := p.DownTo(ctx, 0)
		return err
	})
}

// CheckSchema returns an error if the schema is older than this version. A newer one is
// accepted: the next version may be serving beside this one. It writes nothing.
func (e *Engine) CheckSchema(ctx context.Context) error {
	all, err := e.Migrations(ctx)
	if err != nil {
		return err
	}
	pending := 0
	for _, m := range all {
		if m.AppliedAt.IsZero() {
			pending++
		}
	}
	switch pending {
	case 0:
		return nil
	case len(all):
		return errors.New("schema: the database has no tables of Sallyport; migrate it")
	}
	return errors.New("schema: it is older than this version of Sallyport; migrate it")
}

// schemaPool is a connection pool for migrations, with a lock against concurrent runs.
type schemaPool struct {
	db      *sql.DB
	dialect goose.Dialect
	options []goose.ProviderOption
	close   func() error
}

func (e *Engine) migrating(do func(*goose.Provider) error) error {
	pool, err := e.schema()
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	defer pool.close()
	files, err := fs.Sub(migrations, "migrations/"+string(e.dialect))
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	p, err := goose.NewProvider(pool.dialect, pool.db, files, pool.options...)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	if err := do(p); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	return nil
}

// postgresSchema opens a pool without a statement timeout, because building an index may
// take long, and with an advisory lock.
func postgresSchema(config *pgx.ConnConfig) (schemaPool, error) {
	config.RuntimeParams["application_name"] = "sallyport migrate"
	config.RuntimeParams["statement_timeout"] = "0" // whatever the role has
	// A migration that gets no lock gives up instead of blocking the traffic behind it.
	config.RuntimeParams["lock_timeout"] = "5000"
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return schemaPool{}, err
	}
	db := stdlib.OpenDB(*config)
	return schemaPool{db, goose.DialectPostgres, []goose.ProviderOption{goose.WithSessionLocker(locker)}, db.Close}, nil
}
