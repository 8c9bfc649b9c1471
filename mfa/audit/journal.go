// Package audit writes the audit trail: what happened to accounts and logins, who caused it
// and from where. The kinds of events are constants of package mfa.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"sync"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/storage"
)

const (
	maxWaiting = 1 << 16 // events in memory; more are dropped and counted
	batchSize  = 1000    // events of one write, and the number that starts one
	// FlushTimeout limits the last flush at shutdown.
	FlushTimeout = 5 * time.Second
)

// Journal writes the audit trail. Events of a change are written in its transaction; others
// are kept in memory by Note and written once a second.
type Journal struct {
	store  storage.Events
	now    func() time.Time
	random io.Reader
	log    *slog.Logger
	admit  budget.Admit

	full    chan struct{} // a batch is waiting
	mu      sync.Mutex
	waiting []storage.Event
	notices []storage.Message
	dropped int        // since it was last logged
	lost    int64      // since the start
	writing sync.Mutex // one flush at a time, so that events keep their order
}

// NewJournal returns a Journal, whose Run writes noted events. admit bounds the events that
// unauthenticated callers can cause.
func NewJournal(store storage.Events, now func() time.Time, random io.Reader, log *slog.Logger, admit budget.Admit) *Journal {
	return &Journal{store: store, now: now, random: random, log: log, admit: admit, full: make(chan struct{}, 1)}
}

// Event completes an event with an ID, the time and the caller. The default Outcome is "ok". The
// Detail of what a backend caused has the ID of its API key.
func (j *Journal) Event(v mfa.Caller, e storage.Event) storage.Event {
	e.At = j.now()
	e.ID = storage.EventID(storage.TimeOrdered(e.At, j.random))
	if e.Outcome == "" {
		e.Outcome = mfa.OutcomeOK
	}
	e.Actor = cmp.Or(e.Actor, v.Actor)
	if v.APIKey != "" && e.Detail["api_key"] == "" {
		e.Detail = with(e.Detail, "api_key", string(v.APIKey))
	}
	e.Address, e.UserAgent, e.CorrelationID, e.Login = v.Address, v.Agent(), v.CorrelationID, v.Login
	return e
}

// with returns a copy of a detail with one more member: the detail may belong to another event.
func with(detail map[string]string, name, value string) map[string]string {
	out := make(map[string]string, len(detail)+1)
	maps.Copy(out, detail)
	out[name] = value
	return out
}

// Note keeps a completed event for the next flush. It does not wait for the database.
func (j *Journal) Note(e storage.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) >= maxWaiting {
		j.countDropped(1)
		return
	}
	j.waiting = append(j.waiting, e)
	if len(j.waiting)%batchSize == 0 {
		select {
		case j.full <- struct{}{}:
		default: // Run is notified
		}
	}
}

// List returns events, newest first, without those that are not flushed.
func (j *Journal) List(ctx context.Context, f storage.EventFilter) ([]storage.Event, error) {
	out, err := j.store.ListEvents(ctx, f)
	return out, mfa.Wrap("list events", err)
}

// Flush writes all noted events. It keeps what could not be written for the next flush.
func (j *Journal) Flush(ctx context.Context) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	events, notices, dropped := j.waiting, j.notices, j.dropped
	j.waiting, j.notices, j.dropped = nil, nil, 0
	j.mu.Unlock()
	if dropped > 0 {
		j.log.Error("audit events dropped: the database did not keep up", "count", dropped)
	}
	for size := batchSize; len(events)+len(notices) > 0; {
		n, m := min(len(events), size), min(len(notices), size)
		if size == 1 && n == 1 {
			m = 0
		}
		err := j.store.AppendEvents(ctx, events[:n], notices[:m]...)
		switch {
		case err == nil:
		case errors.Is(err, storage.ErrUnavailable) || ctx.Err() != nil:
			j.requeue(events, notices)
			return fmt.Errorf("append events: %w", err)
		case size > 1: // one that the database refuses must not hold up the others
			size = max(n/2, m/2, 1)
			continue
		default:
			j.log.Error("audit event dropped: the database refuses it", "err", err)
			j.mu.Lock()
			j.lost += int64(n)
			j.mu.Unlock()
		}
		events, notices, size = events[n:], notices[m:], batchSize
	}
	return nil
}

// NoteMessages keeps messages for the next flush, which leaves out those whose ID is stored. It
// takes no time that a caller could measure. A server that ends abruptly loses them.
func (j *Journal) NoteMessages(messages []storage.Message) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.notices) < batchSize {
		j.notices = append(j.notices, messages...)
	}
}

// requeue puts what could not be written before what is newer.
func (j *Journal) requeue(events []storage.Event, notices []storage.Message) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notices = append(notices[:len(notices):len(notices)], j.notices...)
	all := append(events[:len(events):len(events)], j.waiting...)
	if n := len(all) - maxWaiting; n > 0 {
		j.countDropped(n)
		all = all[:maxWaiting]
	}
	j.waiting = all
}

func (j *Journal) countDropped(n int) {
	j.dropped += n
	j.lost += int64(n)
}

// Backlog returns how many events wait to be written, and how many were dropped since the
// start because too many waited.
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
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), FlushTimeout)
			defer cancel()
			return j.Flush(last)
		case <-j.full:
		case <-tick.C:
		}
		if err := j.Flush(ctx); err != nil && ctx.Err() == nil {
			j.LogFailure("audit trail", err)
		}
	}
}

// LogFailure logs the failure of a background write.
func (j *Journal) LogFailure(what string, err error) { j.log.Error(what, "error", err) }

// NoteRefusal is Note for events that unauthenticated callers can cause. It takes one from a
// budget of the caller, and drops the event if none is left.
func (j *Journal) NoteRefusal(v mfa.Caller, budget string, e storage.Event) {
	if j.admit.Spend(v, budget, 1) == nil {
		j.Note(e)
	}
}
