package faults

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestDiskFull fills the disk under SQLite: writes get 503, nothing acknowledged is lost, and
// service resumes when there is space.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	n := setCluster(t, plan{dsn: "sqlite:" + filepath.Join(t.TempDir(), "sallyport.db"), users: 12})
	s := n.servers[0]
	// The disk is a small tmpfs that only the server sees and that ends with the process.
	disk := n.file("disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	n.dsn = "sqlite:" + filepath.Join(disk, "sallyport.db")
	n.write(n.file("dsn"), n.dsn)
	script := fmt.Sprintf("mount -t tmpfs -o size=16m tmpfs %q && for verb in migrate apply; do %q $verb --config %q $(test $verb = migrate || echo %q) || exit 1; done; exec %q serve --config %q",
		disk, program, s.config, n.file("state.yaml"), program, s.config)
	flags := "-m"
	if os.Geteuid() != 0 {
		flags = "-Urm"
	}
	s.startAs(exec.Command("unshare", flags, "sh", "-c", script))
	s.await()

	x, tokens := signedIn(t, n)
	again := n.user(true)
	l := &ledger{}
	c := gather(n, l)
	soon(t, "something of everything was acknowledged", time.Minute, l.full)
	c.over.Store(true)
	c.all.Wait()
	if wrong := c.wrong.Load(); wrong != nil {
		t.Errorf("refused before the disk was full: %v", *wrong)
	}
	requests := probes(n, "", tokens.get("access_token"), tokens.get("refresh_token"))

	// The disk as the server sees it.
	filler := filepath.Join("/proc", fmt.Sprint(s.cmd.Process.Pid), "root", disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 32<<20), 0o600); err == nil {
		t.Fatal("the disk did not fill up")
	}
	// The journal's last page may have room for a few more writes.
	soon(t, "a refusal", 20*time.Second, func() bool { return x.begin("app") != nil })
	for _, a := range requests {
		_, err := a.do(n.caller(s))
		var r *refused
		if !errors.As(err, &r) || r.code < http.StatusInternalServerError {
			continue // a read, or refused before anything is written
		}
		unavailable(t, a, r.reply)
		if r.took > 3*time.Second {
			t.Errorf("%s: after %s", a.name, r.took)
		}
	}
	if got := s.health("/healthz"); got != http.StatusOK {
		t.Errorf("liveness = %d, want 200", got)
	}
	if ok, err := x.active("app", tokens.get("access_token")); !ok || err != nil {
		t.Errorf("a token while the disk is full: active %t, %v", ok, err)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	within(t, "R-7", "a login again, disk no longer full", soon(t, "a login", 20*time.Second, func() bool {
		code, err := x.login("app", again)
		if err == nil {
			_, err = x.redeem("app", code)
		}
		return err == nil
	}), 5*time.Second)
	l.check(t, n)
	if err := syscall.Kill(s.cmd.Process.Pid, 0); err != nil {
		t.Errorf("the server did not survive: %v", err)
	}
}
