package storagetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the address of a new database, which is dropped when the test ends. Its
// server is SALLYPORT_TEST_POSTGRES, or one started from the installed binaries once per
// test process.
func Postgres(tb testing.TB) string {
	tb.Helper()
	address, _ := create(tb, "template1")
	return address
}

// Copies are databases with the same content, which is written once per test process.
type Copies struct {
	once   sync.Once
	source string
}

// New returns the address of a new database with what fill writes, as Postgres does. fill gets
// the address of a database without connections to it, and leaves none.
func (c *Copies) New(tb testing.TB, fill func(address string)) string {
	tb.Helper()
	if running, err := server(); err == nil && running.lifeline == nil { // nobody would drop the source
		address := Postgres(tb)
		fill(address)
		return address
	}
	c.once.Do(func() {
		address, name := create(tb, "template1")
		fill(address)
		c.source = name
	})
	if c.source == "" {
		tb.Fatal("the database to copy could not be filled")
	}
	address, _ := create(tb, c.source)
	return address
}

// create returns the address and the name of a new database that is a copy of another.
func create(tb testing.TB, source string) (in, name string) {
	tb.Helper()
	running, err := server()
	if err != nil {
		tb.Fatalf("PostgreSQL: %v", err)
	}
	admin := running.address
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		tb.Fatal(err)
	}
	name = "sallyport_test_" + hex.EncodeToString(random[:])
	run := func(statement string) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		conn, err := pgx.Connect(ctx, admin)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, statement)
		return err
	}
	if err := run("CREATE DATABASE " + name + " TEMPLATE " + source); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	if running.lifeline == nil { // otherwise the whole server is removed, which is faster
		tb.Cleanup(func() {
			if err := run("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
				tb.Errorf("drop database: %v", err)
			}
		})
	}
	address, err := url.Parse(admin)
	if err != nil {
		tb.Fatalf("SALLYPORT_TEST_POSTGRES is not an address: %v", err)
	}
	address.Path = "/" + name
	return address.String(), name
}

// OwnPostgres starts a server for this test only, with settings, and returns the address of
// its database and the folder with all its files: data/ and the log. It needs the installed
// binaries, even with SALLYPORT_TEST_POSTGRES.
func OwnPostgres(tb testing.TB, settings ...string) (address, dir string) {
	tb.Helper()
	s := NewServer(tb, settings...)
	return s.Address("postgres"), s.dir
}

// instance is a running server.
type instance struct {
	address  string
	lifeline io.Closer // nil: an external server
}

// server is the shared server of a test process.
var server = sync.OnceValues(func() (instance, error) {
	if given := os.Getenv("SALLYPORT_TEST_POSTGRES"); given != "" {
		return instance{address: given}, nil
	}
	return start()
})

// start starts a server that does not wait for its disk: the files end with the test process.
// Tests that end a machine have a server of their own.
func start() (instance, error) {
	s, err := newServer("", "-c fsync=off")
	if err != nil {
		return instance{}, err
	}
	return instance{s.Address("postgres"), s.lifeline}, nil
}

// binaries finds the newest server in Debian's layout, or one in the path.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_ctl")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(newest), nil
	}
	path, err := exec.LookPath("pg_ctl")
	if err != nil {
		return "", errors.New("no server is installed; run `apt-get install postgresql`, or let SALLYPORT_TEST_POSTGRES name one")
	}
	return filepath.Dir(path), nil
}

func version(path string) int {
	n, err := strconv.Atoi(strings.Split(path, "/")[4])
	if err != nil {
		return 0
	}
	return n
}

// unprivileged gives the directory to an unprivileged user, since root cannot run a server.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("root cannot run a server, and there is no user postgres or nobody")
}
