// Package faults injects faults into the environment of a running server: the database
// fails, is slow, recovers, is replaced; the disk is full; the process is killed; it is
// flooded. Each test names its rule. `go test` runs a short form of all of them, `make faults`
// the long one (SALLYPORT_TEST_FAULTS=long). docs/reliability.md has the figures.
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

// program is the built server, without the race detector, which would distort the measured
// memory and time.
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
	// The tests mostly wait.
	if err := flag.Set("test.parallel", pick("4", "2")); err != nil {
		panic(err)
	}
	code := m.Run()
	fmt.Print(figures.table())
	return code
}

// long reports whether to run the long form.
func long() bool { return os.Getenv("SALLYPORT_TEST_FAULTS") == "long" }

// pick returns the value of the short or the long form.
func pick[T any](short, longer T) T {
	if long() {
		return longer
	}
	return short
}

// figures are the measurements, for the table at the end.
var figures report

type report struct {
	mu   sync.Mutex
	rows []string
}

// note records a figure with its bound.
func note(t *testing.T, requirement, what string, got, bound any) {
	t.Helper()
	t.Logf("%s: %s: %v (bound: %v)", requirement, what, got, bound)
	figures.mu.Lock()
	defer figures.mu.Unlock()
	figures.rows = append(figures.rows, fmt.Sprintf("%-5s %-62s %12v %12v", requirement, what, got, bound))
}

// within records a duration and fails if it exceeds the bound. The short form runs beside
// other tests on any machine, and allows twice the time.
func within(t *testing.T, requirement, what string, took, bound time.Duration) {
	t.Helper()
	note(t, requirement, what, took.Round(time.Millisecond), bound)
	if took > bound*pick[time.Duration](2, 1) {
		t.Errorf("%s: %s took %s, want at most %s", requirement, what, took, bound)
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
// after the limit.
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
