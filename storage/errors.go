package storage

import "errors"

// The only errors that mean something. Any other one from an engine says that the
// engine is broken, and that nothing was acknowledged.
var (
	// ErrNotFound says that there is no such record, or none that still lives.
	ErrNotFound = errors.New("storage: not found")
	// ErrConflict says that the old state a write demanded was not there: somebody
	// else spent it, it ended, or a unique value is taken. Nothing was written.
	ErrConflict = errors.New("storage: conflict")
	// ErrUnavailable says that the database is out of reach, too slow, full or busy: the
	// same call may succeed later. Whether a write was done is unknown, and what it spent
	// has to count as spent.
	ErrUnavailable = errors.New("storage: unavailable")
)
