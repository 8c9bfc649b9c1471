// Package bench measures a server process on PostgreSQL and SQLite: everything durable, every
// response checked, a login as a browser does it. `make bench` runs it; docs/performance.md
// says how to read what it prints.
package bench

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if job := os.Getenv("SALLYPORT_BENCH_SERVER"); job != "" {
		if err := runServer(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkServer measures everything that the settings select, once: it has its own
// durations, so run it with -benchtime 1x.
func BenchmarkServer(b *testing.B) {
	s, err := readSettings(os.Getenv)
	if err != nil {
		b.Fatal(err)
	}
	var old *report
	if s.compare != "" { // before minutes of work
		if old, err = readReport(s.compare); err != nil {
			b.Fatal(err)
		}
	}
	r := newReport()
	defer func() { // whatever failed
		r.addLimits()
		r.print(os.Stdout, old)
		if err := r.write(s.out); err != nil {
			b.Error(err)
		}
		fmt.Println("saved in", s.out)
	}()
	measureMachine(b, s, r)
	for _, database := range []string{postgreSQL, sqlite} {
		measure(b, s, r, database)
	}
}

// measure runs the flows on one database, first those with a nearly free hash. Each cost has a
// benchmark of its own, at whose end its server and database stop.
func measure(b *testing.B, s settings, r *report, database string) {
	for _, cost := range []hash{freeHash, productHash} {
		var todo []run
		for _, f := range flows() {
			for _, x := range runsOf(f) {
				if x.database = database; f.hash == cost && s.pick.MatchString(x.name()) {
					todo = append(todo, x)
				}
			}
		}
		if len(todo) == 0 {
			continue
		}
		b.Run(fmt.Sprintf("%s/%s", database, cost), func(b *testing.B) {
			t := start(b, database, cost.job())
			for _, x := range todo {
				fmt.Fprintln(os.Stderr, x.name())
				figures, err := x.measured(t, s)
				if err != nil {
					b.Errorf("%s: %v\n%s", x.name(), err, t.log())
					continue
				}
				r.add(x, figures)
			}
		})
	}
}

// measured returns the figures of a run.
func (r run) measured(t *target, s settings) (map[string]figure, error) {
	if r.measure != nil {
		return r.measure(t, s)
	}
	return underLoad(t, r, s)
}
