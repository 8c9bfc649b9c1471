package relational

import (
	"errors"

	"gorm.io/gorm"

	"sallyport/storage"
)

// SQLite result codes (sqlite.org/rescode.html); extended ones hold the primary
// one in their low byte.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteForeignKey = 787
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
)

// PostgreSQL error codes (appendix A of its manual).
const (
	pgForeignKey    = "23503"
	pgUnique        = "23505"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
)

// known turns the two errors of a driver that mean something into ours.
func known(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return storage.ErrConflict
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return storage.ErrNotFound
	}
	if pg, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		switch pg.SQLState() {
		case pgUnique:
			return storage.ErrConflict
		case pgForeignKey:
			return storage.ErrNotFound
		}
	}
	switch sqliteCode(err) {
	case sqliteUnique, sqlitePrimaryKey:
		return storage.ErrConflict
	case sqliteForeignKey:
		return storage.ErrNotFound
	}
	return err
}

// transient reports whether the same transaction may succeed when it is run again.
func transient(err error) bool {
	if pg, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return pg.SQLState() == pgSerialization || pg.SQLState() == pgDeadlock
	}
	code := sqliteCode(err) & 0xff
	return code == sqliteBusy || code == sqliteLocked
}

func sqliteCode(err error) int {
	if lite, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return lite.Code()
	}
	return 0
}
