package relational

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

func (e *Engine) openPostgres(ctx context.Context, dsn string, o Options) error {
	config, err := e.postgresConfig(dsn, o)
	if err != nil {
		return err
	}
	schema := config.ConnConfig.Copy()
	pooled, err := e.checkServer(ctx, config.ConnConfig)
	if err != nil {
		return err
	}
	e.schema = func() (schemaPool, error) { return postgresSchema(schema.Copy()) }
	if e.pooled = pooled; pooled {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		e.schema = func() (schemaPool, error) { return schemaPool{}, errPooled }
	} else {
		for _, s := range sessionSettings {
			config.ConnConfig.RuntimeParams[s.name] = s.value
		}
		config.ConnConfig.RuntimeParams["client_min_messages"] = "notice" // a commit in doubt is a warning
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	e.slots = make(chan struct{}, config.MaxConns)
	e.dialect, e.direct, e.pool = postgresDialect, pool, stdlib.OpenDBFromPool(pool)
	e.statements.numbered = true
	e.meter.open = func() int { return int(pool.Stat().TotalConns()) }
	e.meter.idle = func() int { return int(pool.Stat().IdleConns()) }
	e.meter.busy = func() int { return int(pool.Stat().AcquiredConns()) }
	e.close = func() error {
		err := e.pool.Close()
		pool.Close()
		return err
	}
	e.db, err = gorm.Open(postgres.New(postgres.Config{Conn: e.pool}), gormConfig(e.log))
	if err != nil {
		_ = e.close()
	}
	return err
}

// postgresConfig parses an address. Its words about the pool hold for every command, because
// this is the only parser; pool_max_conns can only lower the setting.
func (e *Engine) postgresConfig(dsn string, o Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the PostgreSQL address does not parse") // the cause would quote the password
	}
	words, err := pgx.ParseConfig(dsn) // which takes the pool's words for settings of the session
	if err != nil {
		return nil, errors.New("the PostgreSQL address does not parse")
	}
	given := func(word string) bool { _, ok := words.RuntimeParams[word]; return ok }
	if !given("pool_max_conns") || config.MaxConns > int32(o.MaxConns) {
		config.MaxConns = int32(o.MaxConns)
	}
	if !given("pool_max_conn_lifetime") {
		config.MaxConnLifetime = 30 * time.Minute
	}
	if !given("pool_max_conn_lifetime_jitter") {
		config.MaxConnLifetimeJitter = 5 * time.Minute
	}
	config.MinConns, config.MinIdleConns = min(config.MinConns, config.MaxConns), min(config.MinIdleConns, config.MaxConns)
	config.ConnConfig.RuntimeParams["application_name"] = "sallyport"
	config.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	config.ConnConfig.OnNotice = noticed
	e.boundTimeouts(config, dsn)
	return config, nil
}
