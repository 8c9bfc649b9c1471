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

// PreparedStatements runs statements of as many shapes, two in a message, and returns how many the
// connection of the last one has prepared.
func (e *Engine) PreparedStatements(ctx context.Context, shapes int) (int, error) {
	names := []string{}
	for range shapes {
		names = append(names, "none")
		err := e.burst(ctx, "test", func(q querier) error {
			for _, and := range []string{"", " AND value = 0"} {
				if err := q.send("UPDATE versions SET value = value WHERE name IN ?"+and, names); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	var n number
	err := e.quick(ctx, "test", func(q querier) error {
		return q.one("SELECT COUNT(*) FROM pg_prepared_statements", nil, &n)
	})
	return int(n), err
}

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
