package relational

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// Migration is a migration of the schema.
type Migration struct {
	Version   int64
	Name      string    // of its file; "" if this version of Sallyport does not know it
	AppliedAt time.Time // zero: not applied
	Up, Down  string    // its statements
}

// Migrations returns the migrations of this version and of the database, oldest first. It
// writes nothing.
func (e *Engine) Migrations(ctx context.Context) ([]Migration, error) {
	out, err := e.migrations()
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	applied, err := e.applied(ctx)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	for version, at := range applied {
		i := slices.IndexFunc(out, func(m Migration) bool { return m.Version == version })
		if i < 0 {
			out = append(out, Migration{Version: version})
			i = len(out) - 1
		}
		out[i].AppliedAt = at
	}
	slices.SortFunc(out, func(a, b Migration) int { return int(a.Version - b.Version) })
	return out, nil
}

// migrations returns the migrations of this version.
func (e *Engine) migrations() ([]Migration, error) {
	dir := "migrations/" + string(e.dialect)
	files, err := fs.ReadDir(migrations, dir)
	if err != nil {
		return nil, err
	}
	var out []Migration
	for _, f := range files {
		text, err := fs.ReadFile(migrations, path.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(f.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", f.Name(), err)
		}
		up, down, _ := strings.Cut(string(text), "-- +goose Down")
		if _, after, found := strings.Cut(up, "-- +goose Up"); found {
			up = after
		}
		out = append(out, Migration{Version: version, Name: f.Name(), Up: strings.TrimSpace(up), Down: strings.TrimSpace(down)})
	}
	return out, nil
}

// applied reads goose's table, if it exists. Version 0 is goose's own.
func (e *Engine) applied(ctx context.Context) (map[int64]time.Time, error) {
	exists := "SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'"
	query := "SELECT version_id, CAST(strftime('%s', tstamp) AS integer) * 1000000 FROM goose_db_version WHERE version_id > 0"
	if e.dialect == postgresDialect {
		exists = "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'goose_db_version' AND schemaname = ANY(current_schemas(false))"
		// The column has no time zone: it is in that of the sessions that wrote it.
		query = `SELECT version_id, CAST(EXTRACT(EPOCH FROM tstamp AT TIME ZONE current_setting('TimeZone')) * 1000000 AS bigint)
			FROM goose_db_version WHERE version_id > 0`
	}
	out := map[int64]time.Time{}
	err := e.read(ctx, "read schema", func(q querier) error {
		var n int64
		if err := q.one(exists, nil, &n); err != nil || n == 0 {
			return err
		}
		return q.each(query, nil, func(rows scanner) error {
			var version int64
			var when number
			err := rows.Scan(&version, &when)
			out[version] = when.time()
			return err
		})
	})
	return out, err
}

// MigrateUp is Migrate with callbacks before and after every migration. Concurrent calls are
// safe: PostgreSQL has a lock; SQLite has one writer, and a call skips a migration that
// another one has applied.
func (e *Engine) MigrateUp(ctx context.Context, before func(Migration), after func(Migration, time.Duration)) error {
	for {
		next, err := e.nextMigration(ctx)
		if err != nil || next == nil {
			return err
		}
		before(*next)
		var took time.Duration
		failure := e.migrating(func(p *goose.Provider) error {
			result, err := p.UpByOne(ctx)
			if result != nil {
				took = result.Duration
			}
			return err
		})
		if failure != nil && !errors.Is(failure, goose.ErrNoNextVersion) {
			applied, err := e.applied(ctx)
			if _, done := applied[next.Version]; err != nil || !done {
				return failure
			}
		}
		after(*next, took)
	}
}

// nextMigration returns the oldest migration that is not applied, or nil.
func (e *Engine) nextMigration(ctx context.Context) (*Migration, error) {
	all, err := e.Migrations(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.AppliedAt.IsZero() {
			return &m, nil
		}
	}
	return nil, nil
}

// MigrateDown reverts the newest migration, which must have this version.
func (e *Engine) MigrateDown(ctx context.Context, version int64) error {
	return e.migrating(func(p *goose.Provider) error {
		current, err := p.GetDBVersion(ctx)
		if err != nil {
			return err
		}
		if current != version {
			return fmt.Errorf("the newest migration is now %d, not %d", current, version)
		}
		_, err = p.Down(ctx)
		return err
	})
}
