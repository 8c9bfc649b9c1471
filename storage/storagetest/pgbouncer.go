package storagetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bouncer is the shell script that runs PgBouncer until its standard input closes.
const bouncer = `
PATH="$PATH:/usr/sbin"
pgbouncer "$1" 2>&1 &
read -r forever
kill $!
wait
rm -rf "${1%/*}"
`

// PgBouncer starts PgBouncer from the installed program in front of the server, with few
// connections that it lends for a transaction each, and returns the address of a database.
func (s *Server) PgBouncer(tb testing.TB, database string) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "sallyport-pgbouncer-")
	if err != nil {
		tb.Fatal(err)
	}
	ini := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s user=postgres\n[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 500\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = %s\nauth_type = any\n", s.dir, dir)
	if err := os.WriteFile(ini, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	c := exec.Command("/bin/sh", "-c", bouncer, "sh", ini)
	if os.Geteuid() == 0 {
		if c.SysProcAttr, err = unprivileged(dir); err != nil {
			tb.Fatal(err)
		}
	}
	lifeline, err := c.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = lifeline.Close()
		_ = c.Wait()
	})
	lines := bufio.NewScanner(out)
	var log strings.Builder
	for lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "process up") {
			go func() {
				for lines.Scan() { // so that the log never blocks it
				}
			}()
			return fmt.Sprintf("postgres://postgres@/%s?host=%s&port=6432", database, dir)
		}
	}
	tb.Fatalf("PgBouncer did not start (apt-get install pgbouncer):\n%s", log.String())
	return ""
}
