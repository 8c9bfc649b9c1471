package storage

import "errors"

// The only two errors that mean something. Any other error from an engine says
// that the engine is broken or out of reach, and that nothing was acknowledged.
var (
	// ErrNotFound says that there is no such record, or none that still lives.
	ErrNotFound = errors.New("storage: not found")
	// ErrConflict says that the old state a write demanded was not there: somebody
	// else spent it, it ended, or a unique value is taken. Nothing was written.
	ErrConflict = errors.New("storage: conflict")
)
