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
	connectWait = 2 * time.Second        // for each host; "connect_timeout" of the address wins
	pingWait    = 500 * time.Millisecond // a connection that was idle is asked first
	partingWait = time.Second            // for goodbyes to a server that may be gone
)

// bounded sees to it that a server which stopped answering costs little time and never
// a place in the pool for long: its connections are found dead when they are wanted,
// and are not mourned.
func bounded(config *pgxpool.Config) {
	config.PingTimeout = pingWait
	if config.ConnConfig.ConnectTimeout <= 0 {
		config.ConnConfig.ConnectTimeout = connectWait
	}
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		new(reach).take(&c.Config)
		return nil
	}
}

// reach is how one connection of the pool reaches its server. pgx dials again when it
// gives a connection up, to ask the server to stop what it still does there, and holds
// the connection's place in the pool for up to 15 s meanwhile. A server that does not
// hear that is left alone after partingWait; it has a timeout of its own (H-10).
type reach struct {
	mu   sync.Mutex
	conn net.Conn
	up   bool
}

func (r *reach) take(c *pgconn.Config) {
	dial, up := c.DialFunc, c.AfterConnect
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return r.dial(ctx, dial, network, address)
	}
	c.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		r.mu.Lock()
		r.up = true
		r.mu.Unlock()
		if up != nil {
			return up(ctx, conn)
		}
		return nil
	}
}

func (r *reach) dial(ctx context.Context, dial pgconn.DialFunc, network, address string) (net.Conn, error) {
	r.mu.Lock()
	parting, conn := r.up, r.conn
	r.mu.Unlock()
	if !parting {
		conn, err := dial(ctx, network, address)
		r.mu.Lock()
		r.conn = conn
		r.mu.Unlock()
		return conn, err
	}
	time.AfterFunc(partingWait, func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(ctx, partingWait)
	defer cancel()
	last, err := dial(ctx, network, address)
	if err == nil {
		time.AfterFunc(partingWait, func() { _ = last.Close() })
	}
	return last, err
}
