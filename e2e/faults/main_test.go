// Package faults breaks what the server stands on while it serves: the database goes
// away, is slow, comes back, is replaced; the disk is full; the process is killed; it is
// flooded. Each test names the requirement it proves. `go test` runs a short form of all
// of them, `make faults` the long one (SALLYPORT_TEST_FAULTS=long).
package faults

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/e2e/play"
)

// program is the built server. It is built without the race detector, which would be
// most of the memory and the time that is measured here.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sallyport-faults-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if program, err = play.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Most of the time the tests wait.
	if err := flag.Set("test.parallel", pick("4", "2")); err != nil {
		panic(err)
	}
	code := m.Run()
	fmt.Print(figures.table())
	return code
}

// long says whether there is time for long loads and many rounds.
func long() bool { return os.Getenv("SALLYPORT_TEST_FAULTS") == "long" }

// pick returns what the short or the long form wants.
func pick[T any](short, longer T) T {
	if long() {
		return longer
	}
	return short
}

// figures are what was measured, for the table at the end.
var figures report

type report struct {
	mu   sync.Mutex
	rows []string
}

// note keeps a figure beside what the requirement demands of it.
func note(t *testing.T, requirement, what string, got, bound any) {
	t.Helper()
	t.Logf("%s: %s: %v (bound: %v)", requirement, what, got, bound)
	figures.mu.Lock()
	defer figures.mu.Unlock()
	figures.rows = append(figures.rows, fmt.Sprintf("%-5s %-62s %12v %12v", requirement, what, got, bound))
}

// within notes how long something took and fails if it was too long. The short form runs
// beside everything else that is tested, on whatever machine: it allows twice the time.
func within(t *testing.T, requirement, what string, took, bound time.Duration) {
	t.Helper()
	note(t, requirement, what, took.Round(time.Millisecond), bound)
	if took > bound*pick[time.Duration](2, 1) {
		t.Errorf("%s: %s took %s, %s at most", requirement, what, took, bound)
	}
}

func (r *report) table() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rows) == 0 {
		return ""
	}
	return fmt.Sprintf("\n%-5s %-62s %12s %12s\n%s\n", "id", "measured", "got", "bound", strings.Join(r.rows, "\n"))
}

// soon polls until a condition holds and returns how long that took. It fails the test
// when the time is over.
func soon(t *testing.T, what string, limit time.Duration, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if holds() {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			t.Fatalf("%s: not within %s", what, limit)
		}
		<-tick.C
	}
}
