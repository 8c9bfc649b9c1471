package relational

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectWait = 2 * time.Second        // for each host; "connect_timeout" of the DSN overrides it
	pingWait    = 500 * time.Millisecond // for the check of an idle connection before use
	closeWait   = time.Second            // for closing a connection to a server that may be gone
)

// boundTimeouts bounds how long a server that stopped responding delays calls and occupies
// connections of the pool: dead connections are detected before use and closed quickly.
// Connections read the certificates that the address names as these are then.
func (e *Engine) boundTimeouts(config *pgxpool.Config, dsn string) {
	config.PingTimeout = pingWait
	if config.ConnConfig.ConnectTimeout <= 0 {
		config.ConnConfig.ConnectTimeout = connectWait
	}
	config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		if fresh, err := pgx.ParseConfig(dsn); err == nil {
			c.TLSConfig, c.Fallbacks = fresh.TLSConfig, fresh.Fallbacks
		} else { // the cause would quote the password
			e.log.ErrorContext(ctx, "the certificates of the database's address do not load; those read before stay in use")
		}
		new(dialer).wrap(&c.Config)
		return nil
	}
}

// dialer dials for one connection of the pool. When pgx abandons a connection it dials
// again to send a cancel request, and meanwhile occupies the pool for up to 15 s. The dialer
// limits that to closeWait; the server has its own statement timeout (H-10).
type dialer struct {
	mu   sync.Mutex
	conn net.Conn
	up   bool
}

func (d *dialer) wrap(c *pgconn.Config) {
	dial, up := c.DialFunc, c.AfterConnect
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return d.dial(ctx, dial, network, address)
	}
	c.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		d.mu.Lock()
		d.up = true
		d.mu.Unlock()
		if up != nil {
			return up(ctx, conn)
		}
		return nil
	}
}

func (d *dialer) dial(ctx context.Context, dial pgconn.DialFunc, network, address string) (net.Conn, error) {
	d.mu.Lock()
	cancelling, conn := d.up, d.conn
	d.mu.Unlock()
	if !cancelling {
		conn, err := dial(ctx, network, address)
		d.mu.Lock()
		d.conn = conn
		d.mu.Unlock()
		return conn, err
	}
	time.AfterFunc(closeWait, func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	last, err := dial(ctx, network, address)
	if err == nil {
		time.AfterFunc(closeWait, func() { _ = last.Close() })
	}
	return last, err
}
