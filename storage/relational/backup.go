package relational

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// ErrBackupUnsupported means that the database is backed up with its own tools.
var ErrBackupUnsupported = errors.New("PostgreSQL is backed up with its own tools: pg_dump, or a base backup with archived logs")

// Backup writes a consistent copy of a SQLite database to a new file that only its owner
// can read, while servers read and write.
func (e *Engine) Backup(ctx context.Context, path string) error {
	if e.dialect != sqliteDialect {
		return ErrBackupUnsupported
	}
	if applied, err := e.applied(ctx); err != nil || len(applied) == 0 {
		return errors.Join(errors.New("backup: the database has no tables of Sallyport"), err)
	}
	// Create the file: SQLite would make it world-readable, but writes into an empty one.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := e.copyInto(ctx, path); err != nil {
		return errors.Join(fmt.Errorf("backup: %w", err), os.Remove(path))
	}
	return nil
}

func (e *Engine) copyInto(ctx context.Context, path string) error {
	if _, err := e.pool.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return err
	}
	if err := check(ctx, fileAddress(path, url.Values{"mode": {"ro"}}), "integrity_check(1)"); err != nil {
		return fmt.Errorf("the copy is damaged: %w", err)
	}
	// Sync the file and its folder, so that a power cut does not lose them.
	for _, name := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
