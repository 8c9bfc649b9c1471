package storage

import "errors"

// The errors callers test for. After any other error the engine is broken, and nothing
// was acknowledged.
var (
	// ErrNotFound means that there is no such record, or that it has expired.
	ErrNotFound = errors.New("storage: not found")
	// ErrConflict means that the precondition of a write does not hold: another caller
	// spent it, it ended, or a unique value is taken. Nothing was written.
	ErrConflict = errors.New("storage: conflict")
	// ErrUnavailable means that the database is unreachable, too slow, full or busy; the
	// same call may succeed later. A write may have been committed: what it spent must
	// count as spent.
	ErrUnavailable = errors.New("storage: unavailable")
)
