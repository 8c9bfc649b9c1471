package relational

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sallyport/storage"
)

// meter has the engine's counters. Metrics read it on scrape.
type meter struct {
	statements, commits, retries                 atomic.Int64
	noConnection, cancelled, timedOut, otherwise atomic.Int64 // failed calls, by reason
	waits, waited                                atomic.Int64 // for a connection; nanoseconds
	swept                                        map[string]*atomic.Int64
	open, idle, busy                             func() int // connections
}

func newMeter(tables []expired) *meter {
	m := &meter{swept: map[string]*atomic.Int64{clientsTable: new(atomic.Int64)}}
	for _, x := range tables {
		m.swept[x.table] = new(atomic.Int64)
	}
	return m
}

// Stats counts what the engine sent to its database since Open.
type Stats struct {
	Statements int64 // without BEGIN, COMMIT and ROLLBACK
	Commits    int64 // transactions and single writes
	Retries    int64 // transactions retried after a deadlock or a serialization failure
	// Failed calls: no connection became free, the caller left, time ran out, any other
	// reason. ErrNotFound and ErrConflict are not failures.
	NoConnection, Cancelled, TimedOut, Failed int64
	Waits                                     int64         // calls that had to wait for a connection
	Waited                                    time.Duration // total waiting time; 0 without Options.Now
}

// Stats returns the counts so far.
func (e *Engine) Stats() Stats {
	m := e.meter
	return Stats{Statements: m.statements.Load(), Commits: m.commits.Load(), Retries: m.retries.Load(),
		NoConnection: m.noConnection.Load(), Cancelled: m.cancelled.Load(), TimedOut: m.timedOut.Load(), Failed: m.otherwise.Load(),
		Waits: m.waits.Load(), Waited: time.Duration(m.waited.Load())}
}

// Connections is the current number of connections.
type Connections struct{ Most, Open, Idle, Busy int }

// Connections counts the connections to the database.
func (e *Engine) Connections() Connections {
	return Connections{Most: cap(e.slots), Open: e.meter.open(), Idle: e.meter.idle(), Busy: e.meter.busy()}
}

// Swept returns the number of rows Sweep has removed from each table.
func (e *Engine) Swept() map[string]int64 {
	out := make(map[string]int64, len(e.meter.swept))
	for table, n := range e.meter.swept {
		out[table] = n.Load()
	}
	return out
}

// committed counts a commit and passes its events to Options.Written.
func (e *Engine) committed(written []storage.Event) {
	e.meter.commits.Add(1)
	if e.o.Written != nil && len(written) > 0 {
		e.o.Written(written)
	}
}

// failed counts a failed call.
func (m *meter) failed(err error) {
	switch {
	case err == nil, errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotFound):
	case errors.Is(err, errPool):
		m.noConnection.Add(1)
	case errors.Is(err, context.Canceled):
		m.cancelled.Add(1)
	case errors.Is(err, context.DeadlineExceeded):
		m.timedOut.Add(1)
	default:
		m.otherwise.Add(1)
	}
}
