package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
)

// The audit trail shows that a server with the wrong keys tried to start.
func TestStartFaultIsInTheAuditTrail(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		state := filepath.Join(filepath.Dir(settings), "state.yaml")
		if err := os.WriteFile(state, []byte(servertest.MachineState), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "apply", "--config", settings, state) // creates the keys
		file := filepath.Join(filepath.Dir(settings), "keys")
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		run(t, "keyfile", file)
		refuses := func(p *cli.Program) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if code := p.Main(ctx, commands(), []string{"serve", "--config", settings}); code == cli.ExitOK {
				t.Fatal("the server started")
			}
		}
		p, _, _ := testProgram()
		refuses(p)
		if err := os.WriteFile(file, good, 0o600); err != nil {
			t.Fatal(err)
		}
		late, _, _ := testProgram()
		now := late.Now
		late.Now = func() time.Time { return now().Add(-time.Hour) }
		refuses(late)
		var reasons []string
		for line := range strings.Lines(run(t, "events", "--config", settings, "--kind", "server.configuration", "--json")) {
			for _, reason := range []string{"keys", "clock"} {
				if strings.Contains(line, `"detail":{"reason":"`+reason+`"}`) && strings.Contains(line, `"outcome":"failed"`) && strings.Contains(line, `"actor":"system"`) {
					reasons = append(reasons, reason)
				}
			}
		}
		if slices.Sort(reasons); !slices.Equal(reasons, []string{"clock", "keys"}) {
			t.Errorf("events about %v, want clock and keys", reasons)
		}
	})
}
