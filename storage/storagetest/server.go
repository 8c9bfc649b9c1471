package storagetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Server is a PostgreSQL server for one test, which can stop, crash, restart and replace it.
// It ends with the test process, however that ends.
type Server struct {
	dir, bin string
	user     *syscall.SysProcAttr // its user; nil: the test's
	// lifeline is the standard input of the supervisor. The reference keeps the garbage
	// collector from closing the pipe.
	lifeline io.Closer
	shell    *exec.Cmd
}

// supervisor is the shell script that runs a server. Its standard input closes when the test
// process ends, however it ends; then it stops the server and removes its files. The third
// argument is the folder of a primary to follow, the fourth has settings.
const supervisor = `
if [ -z "$3" ]; then
	"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$1/log" 2>&1
else
	"$2/pg_basebackup" -D "$1/data" -h "$3" -U postgres -R -X stream -c fast --no-sync >"$1/log" 2>&1
fi &&
"$2/pg_ctl" -D "$1/data" -l "$1/log" -w -t 60 -o "-c listen_addresses= -c unix_socket_directories=$1 -c max_connections=200 $4" start >>"$1/log" 2>&1 &&
echo ready
read -r forever
"$2/pg_ctl" -D "$1/data" -m immediate -w stop >>"$1/log" 2>&1
rm -rf "$1"
`

// NewServer starts a server from the installed programs, with settings "-c name=value". A
// later Start does not use them.
func NewServer(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	return startServer(tb, "", settings...)
}

// Standby starts a server that follows this one and can take over.
func (s *Server) Standby(tb testing.TB) *Server {
	tb.Helper()
	return startServer(tb, s.dir)
}

func startServer(tb testing.TB, primary string, settings ...string) *Server {
	tb.Helper()
	s, err := newServer(primary, settings...)
	if err != nil {
		tb.Fatalf("PostgreSQL: %v", err)
	}
	tb.Cleanup(func() {
		_ = s.lifeline.Close()
		_ = s.shell.Wait()
	})
	return s
}

func newServer(primary string, settings ...string) (*Server, error) {
	s := &Server{}
	var err error
	if s.dir, err = os.MkdirTemp("", "sallyport-postgres-"); err != nil {
		return nil, err
	}
	if s.bin, s.user, err = Installation(s.dir); err != nil {
		return nil, errors.Join(err, os.Remove(s.dir))
	}
	s.shell = exec.Command("/bin/sh", "-c", supervisor, "sh", s.dir, s.bin, primary, strings.Join(settings, " "))
	s.shell.Dir, s.shell.SysProcAttr = s.dir, s.user
	if s.lifeline, err = s.shell.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.shell.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.shell.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		_, _ = s.lifeline.Close(), s.shell.Wait()
		return nil, fmt.Errorf("the server did not start:\n%s", log)
	}
	return s, nil
}

// Installation returns the folder of PostgreSQL's programs, and as whom they run with files in dir,
// which becomes that user's; nil: as the test's.
func Installation(dir string) (programs string, as *syscall.SysProcAttr, err error) {
	if programs, err = binaries(); err != nil || os.Geteuid() != 0 {
		return programs, nil, err
	}
	as, err = unprivileged(dir)
	return programs, as, err
}

// Socket returns the path of the server's Unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Address returns the address of a database.
func (s *Server) Address(database string) string {
	a := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: "host=" + url.QueryEscape(s.dir)}
	return a.String()
}

// Crash ends the server like a power cut: it writes nothing more, and the next start
// recovers from the WAL.
func (s *Server) Crash(tb testing.TB) {
	tb.Helper()
	s.control(tb, "stop", "-m", "immediate")
}

// Start restarts the server and returns when it accepts connections.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	s.control(tb, "start", "-l", filepath.Join(s.dir, "log"), "-t", "60", "-o", "-c listen_addresses= -c unix_socket_directories="+s.dir+" -c max_connections=200")
}

// Promote promotes a standby.
func (s *Server) Promote(tb testing.TB) {
	tb.Helper()
	s.control(tb, "promote", "-t", "60")
}

func (s *Server) control(tb testing.TB, verb string, args ...string) {
	tb.Helper()
	c := exec.Command(filepath.Join(s.bin, "pg_ctl"), append([]string{verb, "-D", filepath.Join(s.dir, "data"), "-w"}, args...)...)
	c.Dir, c.SysProcAttr = s.dir, s.user // no output, which a server would keep open
	if err := c.Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		tb.Fatalf("pg_ctl %s: %v\n%s", verb, err, log)
	}
}
