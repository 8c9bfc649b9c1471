package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAHangupEndsNoServer(t *testing.T) {
	t.Parallel()
	s := setStage(t, "sqlite")
	s.serve(t)
	folder := filepath.Join(t.TempDir(), "dev")
	d := startDev(t, folder)
	defer d.stop(t)
	for _, server := range []struct {
		name   string
		hangup func() error
		log    func() string
	}{
		{"serve", func() error { return s.server.Process.Signal(syscall.SIGHUP) }, s.log.String},
		{"dev", func() error { return d.process.Process.Signal(syscall.SIGHUP) }, func() string {
			text, err := os.ReadFile(filepath.Join(folder, "server.log"))
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}},
	} {
		if err := server.hangup(); err != nil {
			t.Fatal(err)
		}
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for late := time.After(time.Minute); !strings.Contains(server.log(), "reading the files again"); {
			select {
			case <-late:
				t.Fatalf("%s reads nothing again:\n%s", server.name, server.log())
			case <-tick.C:
			}
		}
	}
	s.await(t)
	(&stage{issuer: d.issuer, log: d.log}).await(t)
}
