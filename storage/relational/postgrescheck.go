package relational

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sessionSettings are the settings of a session that the engine relies on, times in
// milliseconds. A connection pooler that shares sessions takes them from the role.
var sessionSettings = []struct {
	name, value string
	most        int // of a role; 0: its value must be the same
}{
	{"statement_timeout", "3000", 3000},
	{"lock_timeout", "1000", 1000},
	{"idle_in_transaction_session_timeout", "5000", 5000},
	{"default_transaction_isolation", "read committed", 0},
}

// undefinedObject is the code for an unknown parameter (PostgreSQL, appendix A).
const undefinedObject = "42704"

// errPooled refuses a migration, which locks the schema for a session and takes long.
var errPooled = errors.New("this is the address of a connection pooler; migrate over an address of PostgreSQL itself")

// checkServer refuses a database that would lose or spoil what the engine writes. It reports
// whether there is a connection pooler in between.
func (e *Engine) checkServer(ctx context.Context, config *pgx.ConnConfig) (pooled bool, err error) {
	config = config.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == undefinedObject {
		return false, errors.New("connect: the DSN has a parameter that PostgreSQL does not know") // its name may be part of a secret
	}
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var encoding, commit string
	var process uint32
	var reordered bool
	err = conn.QueryRow(ctx, `SELECT current_setting('server_encoding'), current_setting('synchronous_commit'), pg_backend_pid(),
		COALESCE(datcollversion <> pg_database_collation_actual_version(oid), false) FROM pg_database WHERE datname = current_database()`).
		Scan(&encoding, &commit, &process, &reordered)
	switch {
	case err != nil:
		return false, fmt.Errorf("read the settings of PostgreSQL: %w", err)
	case encoding != "UTF8":
		return false, fmt.Errorf("the database has the encoding %s, which cannot hold every text: create one with ENCODING 'UTF8' TEMPLATE template0 and restore a dump into it", encoding)
	case strings.EqualFold(commit, "off"):
		return false, errors.New("synchronous_commit is off: a crash would make used codes valid again; switch it on")
	}
	if reordered {
		e.log.WarnContext(ctx, "the operating system sorts texts differently than when the indexes were built: run REINDEX DATABASE, then ALTER DATABASE ... REFRESH COLLATION VERSION")
	}
	if process == conn.PgConn().PID() {
		return false, nil
	}
	// A pooler invents the process that it names to its clients.
	return true, checkRole(ctx, conn)
}

// checkRole checks the settings that sessions have without asking for them.
func checkRole(ctx context.Context, conn *pgx.Conn) error {
	var missing []string
	for _, s := range sessionSettings {
		var ok bool
		err := conn.QueryRow(ctx, `SELECT CASE WHEN $2::int = 0 THEN setting = $3 ELSE setting::int BETWEEN 1 AND $2::int END FROM pg_settings WHERE name = $1`, s.name, s.most, s.value).Scan(&ok)
		if err != nil {
			return fmt.Errorf("read %s: %w", s.name, err)
		}
		if !ok {
			missing = append(missing, fmt.Sprintf("ALTER ROLE CURRENT_USER SET %s = '%s';", s.name, s.value))
		}
	}
	var hidden bool // the warning of a commit in doubt
	if err := conn.QueryRow(ctx, `SELECT current_setting('client_min_messages') IN ('error', 'fatal', 'panic')`).Scan(&hidden); err != nil {
		return fmt.Errorf("read client_min_messages: %w", err)
	}
	if hidden {
		missing = append(missing, "ALTER ROLE CURRENT_USER SET client_min_messages = 'notice';")
	}
	if len(missing) > 0 {
		return fmt.Errorf("a connection pooler shares the sessions, and its role lacks settings: run %s and let the pooler reconnect", strings.Join(missing, " "))
	}
	return nil
}
