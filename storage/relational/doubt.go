package relational

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

// PostgreSQL reports success for a commit that waits for a synchronous standby when the wait is
// cancelled, by statement_timeout or an administrator, and warns that only the primary has it. A
// failover would lose it, so its outcome is as unknown as that of a lost connection (R-6,
// docs/decisions/0184).

// errDoubt is the error of such a commit.
var errDoubt = errors.New("the commit did not wait for a synchronous standby")

// doubt is the key of the mark on a connection that got the warning.
const doubt = "sallyport: doubt"

// noticed marks a connection. The routine is the same in every language.
func noticed(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		conn.CustomData()[doubt] = true
	}
}

// doubted removes the mark, and returns errDoubt if there was one.
func doubted(conn *pgconn.PgConn) error {
	if conn.CustomData()[doubt] == nil {
		return nil
	}
	delete(conn.CustomData(), doubt)
	return errDoubt
}

// Settle implements storage.Settling: a commit waits for a standby only if it has written something,
// and what others have committed is before it in the log. SQLite has no standby.
func (e *Engine) Settle(ctx context.Context) error {
	if e.files != nil {
		return nil
	}
	return e.burst(ctx, "settle", func(q querier) error {
		return q.send("SELECT pg_logical_emit_message(true, 'sallyport', '')")
	})
}

// certain runs writes through gorm on one connection, and doubts them.
func certain(db *gorm.DB, do func(*gorm.DB) error) error {
	return db.Connection(func(tx *gorm.DB) error {
		tx = tx.Session(&gorm.Session{Context: tx.Statement.Context})
		if err := do(tx); err != nil {
			return err
		}
		return tx.Statement.ConnPool.(*sql.Conn).Raw(func(driver any) error {
			return doubted(driver.(*stdlib.Conn).Conn().PgConn())
		})
	})
}
