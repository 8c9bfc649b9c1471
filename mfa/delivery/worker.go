// Package delivery sends the messages of the outbox. Any number of servers send at the same
// time: a message is leased by one of them, sent, and the outcome recorded. How a message
// reaches its receiver is up to a Sender.
//
// A message whose outcome is not known, because the server stopped or the connection broke
// at the wrong moment, is sent again only if the receiver recognizes it by its ID.
package delivery

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sallyport/mfa/notice"
	"sallyport/storage"
)

// Store is the part of storage that a Worker uses.
type Store interface {
	LeaseMessages(ctx context.Context, l storage.Lease) ([]storage.Message, error)
	SettleMessage(ctx context.Context, d storage.Delivery) error
	ExpireMessages(ctx context.Context, now time.Time, limit int) ([]storage.Message, error)
}

// Renderer renders messages, as notice.Renderer does. Its errors are stored.
type Renderer interface {
	Render(kind, template, locale string, data map[string]string) (notice.Content, error)
}

// Options configure a Worker. Zero values have defaults.
type Options struct {
	Parallel int           // messages of one kind sent at the same time; 8
	Timeout  time.Duration // of sending one; 10 s
	Poll     time.Duration // how often the outbox is read; 1 s
	// Count is called with the kind and the outcome, one of Results, of every attempt.
	Count func(kind, result string)
	// GaveUp is called with every message that was given up, and why.
	GaveUp func(m storage.Message, reason string)
}

// Results of attempts.
const (
	Delivered = "delivered"
	Retried   = "retried" // to be sent again
	Refused   = "refused" // given up
	Expired   = "expired" // given up
	Uncertain = "unknown" // given up
)

// Results returns every result.
func Results() []string { return []string{Delivered, Retried, Refused, Expired, Uncertain} }

const (
	settling    = 50 * time.Second // what a lease lasts beyond the timeout of sending
	expireEvery = time.Minute
	expireBatch = 1000
)

// Worker sends messages.
type Worker struct {
	store    Store
	senders  map[string]Sender
	renderer Renderer
	now      func() time.Time
	random   io.Reader
	log      *slog.Logger
	o        Options
	wake     map[string]chan struct{} // by kind
}

// New returns a Worker that sends messages of the kinds that have a sender.
func New(store Store, senders map[string]Sender, renderer Renderer, now func() time.Time, random io.Reader, log *slog.Logger, o Options) *Worker {
	if o.Parallel == 0 {
		o.Parallel = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Count == nil {
		o.Count = func(string, string) {}
	}
	if o.GaveUp == nil {
		o.GaveUp = func(storage.Message, string) {}
	}
	w := &Worker{store: store, senders: senders, renderer: renderer, now: now, random: random, log: log, o: o, wake: map[string]chan struct{}{}}
	for kind := range senders {
		w.wake[kind] = make(chan struct{}, 1)
	}
	return w
}

// Sends reports whether messages of a kind are sent.
func (w *Worker) Sends(kind string) bool { return w.senders[kind] != nil }

// Wake makes Run read the outbox now.
func (w *Worker) Wake() {
	for _, c := range w.wake {
		select {
		case c <- struct{}{}:
		default: // it is awake already
		}
	}
}

// Run sends messages until ctx ends, and then finishes those it is sending.
func (w *Worker) Run(ctx context.Context) error {
	for _, kind := range notice.Kinds() {
		if !w.Sends(kind) {
			w.log.Warn("no setting says how to send messages of this kind: they wait until they expire", "kind", kind)
		}
	}
	var all sync.WaitGroup
	for kind, sender := range w.senders {
		all.Go(func() { w.work(ctx, kind, sender) })
	}
	all.Go(func() { w.expire(ctx) })
	all.Wait()
	return nil
}

// work sends messages of one kind. It leases no more than it can send at once, so that the
// rest is left to other servers. A receiver that is slow delays no other kind.
func (w *Worker) work(ctx context.Context, kind string, sender Sender) {
	tick := time.NewTicker(w.o.Poll)
	defer tick.Stop()
	ended, running := make(chan struct{}), 0
	for due := true; ctx.Err() == nil; {
		if free := w.o.Parallel - running; due && free > 0 {
			leased := w.lease(ctx, kind, free)
			for _, m := range leased {
				go func() {
					w.deliver(context.WithoutCancel(ctx), sender, m)
					ended <- struct{}{}
				}()
			}
			running += len(leased)
			due = len(leased) == free // there may be more
		}
		select {
		case <-ctx.Done():
		case <-ended:
			running--
		case <-tick.C:
			due = true
		case <-w.wake[kind]:
			due = true
		}
	}
	for ; running > 0; running-- {
		<-ended
	}
}

// lease leases messages. A stop does not interrupt it: messages that were leased for a worker
// that never learns of it would count as possibly sent.
func (w *Worker) lease(ctx context.Context, kind string, limit int) []storage.Message {
	got, err := w.store.LeaseMessages(context.WithoutCancel(ctx), storage.Lease{Kind: kind, Now: w.now(), For: w.o.Timeout + settling, Limit: limit})
	if err != nil {
		w.log.Error("lease messages", "kind", kind, "error", err)
	}
	return got
}

// expire gives up messages that have expired, at the start and every minute.
func (w *Worker) expire(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		got, err := w.store.ExpireMessages(ctx, w.now(), expireBatch)
		if err != nil && ctx.Err() == nil {
			w.log.Error("expire messages", "error", err)
		}
		for _, m := range got {
			w.report(m, Expired, m.LastError)
		}
		if len(got) == expireBatch {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// report logs and counts an outcome, in this order: who sees the count finds the line. It names no recipient.
func (w *Worker) report(m storage.Message, result, reason string) {
	if !slices.Contains(notice.Outgoing(), m.Kind) {
		return // of the server to itself, or of a version that had more kinds
	}
	level := slog.LevelWarn
	switch result {
	case Delivered:
		level = slog.LevelDebug
	case Retried:
		level = slog.LevelInfo
	}
	w.log.Log(context.Background(), level, "message "+result, "id", string(m.ID), "kind", m.Kind, "template", m.Template, "attempt", m.Attempts, "reason", reason)
	w.o.Count(m.Kind, result)
	if result != Delivered && result != Retried {
		w.o.GaveUp(m, reason)
	}
}
