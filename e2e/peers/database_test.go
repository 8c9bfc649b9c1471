package peers

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

	"sallyport/e2e/load"
	"sallyport/storage/storagetest"
)

// database is one PostgreSQL server, in which each provider has a database. They all reach it
// over TCP, because not all can use a Unix socket.
type database struct {
	host, port string
	pid        int // of the postmaster
	conn       *pgx.Conn
}

func newDatabase(b *testing.B) *database {
	b.Helper()
	addr := load.FreeAddress(b)
	d := new(database)
	var err error
	if d.host, d.port, err = net.SplitHostPort(addr); err != nil {
		b.Fatal(err)
	}
	// Rare checkpoints keep the images of whole pages, which follow each, out of the slices.
	storagetest.NewServer(b, "-c listen_addresses="+d.host, "-c port="+d.port, "-c checkpoint_timeout=1h", "-c max_wal_size=16GB")
	if d.conn, err = pgx.Connect(context.Background(), d.dsn("postgres")); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.conn.Close(context.Background()) })
	all, err := processes()
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range all {
		if s.pid == int(d.conn.PgConn().PID()) {
			d.pid = s.parent
		}
	}
	if d.pid == 0 {
		b.Fatal("the PostgreSQL server is not in /proc")
	}
	return d
}

// create creates a database, with settings for its connections, and returns its DSN.
func (d *database) create(name string, settings ...string) (string, error) {
	_, err := d.conn.Exec(context.Background(), "CREATE DATABASE "+name)
	for _, setting := range settings {
		if err == nil {
			_, err = d.conn.Exec(context.Background(), "ALTER DATABASE "+name+" SET "+setting)
		}
	}
	return d.dsn(name), err
}

func (d *database) dsn(name string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: net.JoinHostPort(d.host, d.port), Path: "/" + name, RawQuery: "sslmode=disable"}
	return u.String()
}

// wal is how many bytes of WAL have been written.
func (d *database) wal() (n int64, err error) {
	if err = d.conn.QueryRow(context.Background(), "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&n); err != nil {
		err = fmt.Errorf("WAL: %w", err)
	}
	return n, err
}
