package relational

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

const (
	statementTimeout = 3 * time.Second
	lockTimeout      = 1 * time.Second
	idleTimeout      = 5 * time.Second
)

func (e *Engine) openPostgres(ctx context.Context, dsn string, o Options) error {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return errors.New("the PostgreSQL address does not parse") // the cause would quote the password
	}
	config.MaxConns = int32(o.MaxConns)
	config.MaxConnLifetime = 30 * time.Minute
	config.MaxConnLifetimeJitter = 5 * time.Minute
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = "sallyport"
	params["statement_timeout"] = milliseconds(statementTimeout)
	params["lock_timeout"] = milliseconds(lockTimeout)
	params["idle_in_transaction_session_timeout"] = milliseconds(idleTimeout)
	params["default_transaction_isolation"] = "read committed"
	boundTimeouts(config)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	e.dialect, e.direct, e.pool = postgresDialect, pool, stdlib.OpenDBFromPool(pool)
	e.meter.open = func() int { return int(pool.Stat().TotalConns()) }
	e.meter.idle = func() int { return int(pool.Stat().IdleConns()) }
	e.meter.busy = func() int { return int(pool.Stat().AcquiredConns()) }
	e.schema = func() (schemaPool, error) { return postgresSchema(dsn) }
	e.close = func() error {
		err := e.pool.Close()
		pool.Close()
		return err
	}
	e.db, err = gorm.Open(postgres.New(postgres.Config{Conn: e.pool}), gormConfig(e.log))
	if err == nil {
		err = e.checkDurability(ctx)
	}
	if err != nil {
		_ = e.close()
	}
	return err
}

// checkDurability refuses a server that acknowledges commits it may lose.
func (e *Engine) checkDurability(ctx context.Context) error {
	var setting string
	if err := e.pool.QueryRowContext(ctx, `SHOW synchronous_commit`).Scan(&setting); err != nil {
		return fmt.Errorf("read synchronous_commit: %w", err)
	}
	if strings.EqualFold(setting, "off") {
		return errors.New("synchronous_commit is off: a crash would make used codes valid again; switch it on")
	}
	return nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
