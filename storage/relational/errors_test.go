package relational

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// liteError is an error like the SQLite driver's.
type liteError int

func (liteError) Error() string { return "lite" }
func (e liteError) Code() int   { return int(e) }

func TestUnavailable(t *testing.T) {
	state := func(code string) error { return &pgconn.PgError{Code: code} }
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"no place in the pool", errPool, true},
		{"a deadline", fmt.Errorf("read: %w", context.DeadlineExceeded), true},
		{"a caller that went away", context.Canceled, false},
		{"a refused connection", &net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		{"a broken connection", driver.ErrBadConn, true},
		{"a transaction that a deadline has rolled back", fmt.Errorf("append: %w", sql.ErrTxDone), true},
		{"a connection given back", sql.ErrConnDone, true},
		{"a cut connection", io.ErrUnexpectedEOF, true},
		{"a statement that took too long", state("57014"), true},
		{"a server that stops", state("57P01"), true},
		{"a server that starts", state("57P03"), true},
		{"too many connections", state("53300"), true},
		{"a full disk", state("53100"), true},
		{"a broken disk", state("58030"), true},
		{"a lock that does not come free", state(pgLockTimeout), true},
		{"a server that only reads", state(pgReadOnly), true},
		{"a deadlock that stays", state(pgDeadlock), true},
		{"a statement with a mistake", state("42601"), false},
		{"a damaged index", state("XX002"), false},
		{"a full disk under SQLite", liteError(sqliteFull), true},
		{"a disk that fails under SQLite", liteError(778), true},
		{"a lock of SQLite's", liteError(517), true},
		{"a damaged file of SQLite's", liteError(11), false},
		{"a value that is taken", liteError(sqliteUnique), false},
		{"a bug", errors.New("index out of range"), false},
	} {
		if got := unavailable(tc.err); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}
