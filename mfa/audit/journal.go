// Package audit writes the audit trail: what was done to accounts and logins, by whom and
// from where. The kinds of events are constants of package mfa.
package audit

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/storage"
)

const (
	journalMost  = 1 << 16 // events waiting at most; more are dropped and counted
	journalBatch = 1000    // events of one write; so many waiting start one at once
	Grace        = 5 * time.Second
)

// Journal writes the audit trail. Events of a change travel in its transaction;
// those nobody waits for are noted and written once a second.
type Journal struct {
	store  storage.Events
	now    func() time.Time
	random io.Reader
	log    *slog.Logger
	admit  budget.Admit

	full    chan struct{} // a batch is waiting
	mu      sync.Mutex
	waiting []storage.Event
	dropped int        // since it was last told to the log
	lost    int64      // since the start
	writing sync.Mutex // one flush at a time, so that events keep their order
}

// NewJournal returns a Journal; its Run writes what is noted. admit bounds what callers
// can cause who have proven nothing.
func NewJournal(store storage.Events, now func() time.Time, random io.Reader, log *slog.Logger, admit budget.Admit) *Journal {
	return &Journal{store: store, now: now, random: random, log: log, admit: admit, full: make(chan struct{}, 1)}
}

// Event completes an event with its ID, the time and who called. An empty outcome is "ok".
func (j *Journal) Event(v mfa.Caller, e storage.Event) storage.Event {
	e.At = j.now()
	e.ID = storage.EventID(storage.TimeOrdered(e.At, j.random))
	if e.Outcome == "" {
		e.Outcome = mfa.OutcomeOK
	}
	e.Actor = cmp.Or(e.Actor, v.Actor)
	e.Address, e.UserAgent, e.CorrelationID = v.Address, v.Agent(), v.CorrelationID
	return e
}

// Note keeps a completed event for the next flush. It never blocks on the database.
func (j *Journal) Note(e storage.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) >= journalMost {
		j.drop(1)
		return
	}
	j.waiting = append(j.waiting, e)
	if len(j.waiting)%journalBatch == 0 {
		select {
		case j.full <- struct{}{}:
		default: // the writer knows
		}
	}
}

// List returns lines of the trail, newest first. Those noted within the last second may
// be missing.
func (j *Journal) List(ctx context.Context, f storage.EventFilter) ([]storage.Event, error) {
	out, err := j.store.ListEvents(ctx, f)
	return out, mfa.Wrap("list events", err)
}

// Flush writes all noted events. What could not be written waits for the next flush.
func (j *Journal) Flush(ctx context.Context) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	events, dropped := j.waiting, j.dropped
	j.waiting, j.dropped = nil, 0
	j.mu.Unlock()
	if dropped > 0 {
		j.log.Error("audit events dropped: the database did not keep up", "count", dropped)
	}
	for len(events) > 0 {
		n := min(len(events), journalBatch)
		if err := j.store.AppendEvents(ctx, events[:n]); err != nil {
			j.keep(events)
			return fmt.Errorf("append events: %w", err)
		}
		events = events[n:]
	}
	return nil
}

// keep puts events that could not be written back in front of newer ones.
func (j *Journal) keep(events []storage.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := append(events[:len(events):len(events)], j.waiting...)
	if n := len(all) - journalMost; n > 0 {
		j.drop(n)
		all = all[:journalMost]
	}
	j.waiting = all
}

func (j *Journal) drop(n int) {
	j.dropped += n
	j.lost += int64(n)
}

// Backlog returns how many events wait to be written and how many were lost because
// too many did.
func (j *Journal) Backlog() (waiting int, lost int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.waiting), j.lost
}

// Run flushes each second until ctx ends, and then once more.
func (j *Journal) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
			defer cancel()
			return j.Flush(last)
		case <-j.full:
			j.flush(ctx)
		case <-tick.C:
			j.flush(ctx)
		}
	}
}

// Failed logs that something written in the background could not be written.
func (j *Journal) Failed(what string, err error) { j.log.Error(what, "error", err) }

// flush is Flush for the background: what went wrong is told to the log.
func (j *Journal) flush(ctx context.Context) {
	if err := j.Flush(ctx); err != nil && ctx.Err() == nil {
		j.log.Error("audit trail", "error", err)
	}
}

// Refusal is Note for what anybody can cause who has proven nothing: where the budget of
// a caller is used up it leaves no line.
func (j *Journal) Refusal(v mfa.Caller, budget string, e storage.Event) {
	if j.admit.Spend(v, budget, 1) == nil {
		j.Note(e)
	}
}
