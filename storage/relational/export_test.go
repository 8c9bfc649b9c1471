package relational

import (
	"context"
	"strings"
	"time"

	"sallyport/storage"
)

// FrequentKinds are the kinds that are not in the index of kinds.
const FrequentKinds = frequentKinds

// Parts of the statement of ListEvents.
const (
	SelectEvents = selectEvents
	NewestFirst  = newestFirst
)

// TwoConditions sends two conditional writes that change no row: ErrNotFound, then ErrConflict.
func (e *Engine) TwoConditions(ctx context.Context) error {
	return e.burst(ctx, "test", func(q querier) error {
		for _, otherwise := range []error{storage.ErrNotFound, storage.ErrConflict} {
			err := q.write(write{text: "UPDATE versions SET value = value WHERE name = ?", args: []any{"none"}, otherwise: otherwise})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SweepOf returns the sweep statement of a table with this in its condition.
func (e *Engine) SweepOf(table, where string, now time.Time, limit int) (string, []any) {
	for _, x := range e.sweepable(now) {
		if x.table == table && strings.Contains(x.where, where) {
			text, args := x.sweeping(limit, e.dialect)
			text, args, err := e.statements.expand(text, args)
			if err != nil {
				panic(err)
			}
			return text, args
		}
	}
	panic("no such table: " + table)
}

// PanicAfter writes an event in a transaction, and panics.
func (e *Engine) PanicAfter(ctx context.Context, event storage.Event) {
	_ = e.step(ctx, "test", func(q querier) error {
		if err := q.putEvents([]storage.Event{event}); err != nil {
			return err
		}
		panic("test")
	})
}
