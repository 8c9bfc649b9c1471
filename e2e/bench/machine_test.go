package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/argon2"

	"sallyport/config"
	"sallyport/e2e/load"
)

// machine is the name of what runs without the server.
const machine = "machine"

// What the machine allows of the parts that a flow cannot do without.
const (
	onlyHash      = "argon2id"
	onlySignature = "ES256"
	onlyHTTP      = "HTTP hello"
	onlyCommit    = " commit" // after the name of a database
)

// measureMachine measures the parts alone, over as many connections as the flows.
func measureMachine(b *testing.B, s settings, r *report) {
	s.time /= 3
	for _, n := range []int{1, 8, 32} {
		for _, part := range []struct {
			name string
			make func(testing.TB, int) func(*worker) error
		}{
			{onlyHash, hashAlone}, {onlySignature, signatureAlone}, {onlyHTTP, httpAlone},
			{postgreSQL + onlyCommit, postgresAlone}, {sqlite + onlyCommit, sqliteAlone},
		} {
			x := run{flow: flow{name: part.name}, database: machine, connections: n}
			if !s.pick.MatchString(x.name()) {
				continue
			}
			fmt.Fprintln(os.Stderr, x.name())
			b.Run(x.name(), func(b *testing.B) {
				workers := make([]*worker, n)
				for i := range workers {
					workers[i] = &worker{number: i}
				}
				x.do = part.make(b, n)
				figures, err := drive(workers, x, s.time, func() (used, error) { return used{}, nil })
				if err != nil {
					b.Fatal(err)
				}
				for _, key := range ofServer {
					delete(figures, key)
				}
				r.add(x, figures)
			})
		}
	}
}

// ofServer are the figures that there are with a server only.
var ofServer = []string{"server-us", "statements", "commits", "objects", "bytes", "rss-MiB", "refused/s"}

// taking bounds how many workers compute at the same time: one for each core.
func taking(do func() error) func(*worker) error {
	cores := make(chan struct{}, runtime.GOMAXPROCS(0))
	return func(*worker) error {
		cores <- struct{}{}
		defer func() { <-cores }()
		return do()
	}
}

func hashAlone(testing.TB, int) func(*worker) error {
	c := config.Default().Argon2
	return taking(func() error {
		_ = argon2.IDKey([]byte(benchPassword), make([]byte, 16), c.Time, c.Memory, c.Threads, 32)
		return nil
	})
}

func signatureAlone(tb testing.TB, _ int) func(*worker) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	digest := sha256.Sum256([]byte(benchSecret))
	return taking(func() error { _, err := ecdsa.SignASN1(rand.Reader, key, digest[:]); return err })
}

func httpAlone(tb testing.TB, n int) func(*worker) error {
	address := load.FreeAddress(tb)
	tb.Cleanup(spawn(tb, serverJob{Hello: address}, filepath.Join(tb.TempDir(), "log")))
	clients := make([]*load.Client, n)
	for i := range clients {
		c, err := load.Dial(address, "127.0.0.1")
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = c.Close() })
		clients[i] = c
	}
	return func(w *worker) error { return want(200)(clients[w.number].Get("/")) }
}

// serveHello serves the least that an HTTP server can.
func serveHello(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
}

const (
	makeTable = "CREATE TABLE one (id BIGINT NOT NULL, text TEXT NOT NULL)"
	insertRow = "INSERT INTO one (id, text) VALUES (1, 'a row like a small one of the server')"
)

func postgresAlone(tb testing.TB, n int) func(*worker) error {
	p := newPostgres(tb)
	if _, err := p.conn.Exec(context.Background(), makeTable); err != nil {
		tb.Fatal(err)
	}
	conns := make([]*pgx.Conn, n)
	for i := range conns {
		c, err := pgx.Connect(context.Background(), p.address)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = c.Close(context.Background()) })
		conns[i] = c
	}
	return func(w *worker) error { _, err := conns[w.number].Exec(context.Background(), insertRow); return err }
}

// sqliteAlone commits on one connection, because SQLite has one writer, through the driver that
// the server registers.
func sqliteAlone(tb testing.TB, _ int) func(*worker) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(tb.TempDir(), "one.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(makeTable); err != nil {
		tb.Fatal(err)
	}
	insert, err := db.Prepare(insertRow)
	if err != nil {
		tb.Fatal(err)
	}
	return func(*worker) error { _, err := insert.Exec(); return err }
}
