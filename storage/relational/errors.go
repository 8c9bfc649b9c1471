package relational

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"sallyport/storage"
)

// SQLite result codes (sqlite.org/rescode.html); extended codes have the primary code in
// their low byte.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteMemory     = 7
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIO         = 10
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteProtocol   = 15
	sqliteForeignKey = 787
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
)

// PostgreSQL error codes (appendix A of its manual).
const (
	pgInvalidText   = "22P02"
	pgForeignKey    = "23503"
	pgUnique        = "23505"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgLockTimeout   = "55P03"
	pgReadOnly      = "25006" // a standby or former primary
	pgIdleTimeout   = "25P03"
	pgPlanChanged   = "0A000" // "cached plan must not change result type", among others
	pgNoStatement   = "26000"
)

// translate turns errors of the drivers into storage.ErrConflict and storage.ErrNotFound.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return storage.ErrConflict
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return storage.ErrNotFound
	}
	switch sqlState(err) {
	case pgUnique:
		return storage.ErrConflict
	case pgForeignKey:
		return storage.ErrNotFound
	}
	switch sqliteCode(err) {
	case sqliteUnique, sqlitePrimaryKey:
		return storage.ErrConflict
	case sqliteForeignKey:
		return storage.ErrNotFound
	}
	return err
}

// transient reports whether the same transaction may succeed on retry.
func transient(err error) bool {
	if state := sqlState(err); state != "" {
		return state == pgSerialization || state == pgDeadlock
	}
	code := sqliteCode(err) & 0xff
	return code == sqliteBusy || code == sqliteLocked
}

// unavailable reports whether an error is about the state of the database and not about
// the statement.
func unavailable(err error) bool {
	if state := sqlState(err); state != "" {
		switch state {
		case pgSerialization, pgDeadlock, pgLockTimeout, pgReadOnly, pgIdleTimeout:
			return true
		}
		switch state[:2] {
		case "08", "53", "57", "58": // connection, resources, operator intervention, system
			return true
		}
	}
	switch sqliteCode(err) & 0xff {
	case sqliteBusy, sqliteLocked, sqliteMemory, sqliteReadOnly, sqliteInterrupt, sqliteIO, sqliteFull, sqliteCantOpen, sqliteProtocol:
		return true
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.Is(err, errPool) || errors.Is(err, errDoubt) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}

// sqlState returns the code of a PostgreSQL error, or "".
func sqlState(err error) string {
	if pg, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok && len(pg.SQLState()) == 5 {
		return pg.SQLState()
	}
	return ""
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
