package relational

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sallyport/storage"
)

// meter is what the engine counts about itself. Whoever measures reads it; nothing is
// computed while a request waits.
type meter struct {
	statements, commits, retries        atomic.Int64
	starved, cancelled, overdue, unwell atomic.Int64 // failed calls, by why
	waits, waited                       atomic.Int64 // for a connection; nanoseconds
	swept                               map[string]*atomic.Int64
	open, idle, busy                    func() int // connections
}

func newMeter(tables []expired) *meter {
	m := &meter{swept: map[string]*atomic.Int64{}}
	for _, x := range tables {
		m.swept[x.table] = new(atomic.Int64)
	}
	return m
}

// Stats says what the engine sent to its database since Open.
type Stats struct {
	Statements int64 // without BEGIN, COMMIT and ROLLBACK
	Commits    int64 // transactions and single writes
	Retries    int64 // transactions run again after a deadlock or a serialization failure
	// Calls that failed: no connection became free, the caller left, the time was
	// over, anything else. A record that is not there and a lost race are no failures.
	Starved, Cancelled, Overdue, Failed int64
	Waits                               int64         // calls for which no connection was free at once
	Waited                              time.Duration // by all of them; 0 without Options.Now
}

// Stats returns the counts so far.
func (e *Engine) Stats() Stats {
	m := e.meter
	return Stats{Statements: m.statements.Load(), Commits: m.commits.Load(), Retries: m.retries.Load(),
		Starved: m.starved.Load(), Cancelled: m.cancelled.Load(), Overdue: m.overdue.Load(), Failed: m.unwell.Load(),
		Waits: m.waits.Load(), Waited: time.Duration(m.waited.Load())}
}

// Connections says how many connections there are now.
type Connections struct{ Most, Open, Idle, Busy int }

// Connections counts the connections to the database.
func (e *Engine) Connections() Connections {
	return Connections{Most: cap(e.slots), Open: e.meter.open(), Idle: e.meter.idle(), Busy: e.meter.busy()}
}

// Swept returns how many rows Sweep has removed from each of its tables.
func (e *Engine) Swept() map[string]int64 {
	out := make(map[string]int64, len(e.meter.swept))
	for table, n := range e.meter.swept {
		out[table] = n.Load()
	}
	return out
}

// committed counts a commit and tells which events it wrote.
func (e *Engine) committed(told []storage.Event) {
	e.meter.commits.Add(1)
	if e.o.Written != nil && len(told) > 0 {
		e.o.Written(told)
	}
}

// failed counts a call that came to nothing.
func (m *meter) failed(err error) {
	switch {
	case err == nil, errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotFound):
	case errors.Is(err, errPool):
		m.starved.Add(1)
	case errors.Is(err, context.Canceled):
		m.cancelled.Add(1)
	case errors.Is(err, context.DeadlineExceeded):
		m.overdue.Add(1)
	default:
		m.unwell.Add(1)
	}
}
