package relational

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"

	"sallyport/storage"
)

const (
	slotWait   = 2 * time.Second
	callWait   = 3 * time.Second // as long as one statement may take
	maxRetries = 3
)

// querier sends statements, in a transaction or not, through gorm or directly.
type querier struct {
	e       *Engine
	db      *gorm.DB         // administration on PostgreSQL
	call    *call            // SQLite
	burst   *burst           // not nil: collects writes; their errors are returned by the commit
	written *[]storage.Event // events of the commit; nil in a read
}

// scanner is a row of a query.
type scanner interface{ Scan(dest ...any) error }

// exec runs a statement and returns how many rows it changed.
func (q querier) exec(text string, args ...any) (int64, error) {
	q.e.meter.statements.Add(1)
	if q.call != nil {
		return q.call.exec(text, args)
	}
	res := q.db.Exec(text, args...)
	return res.RowsAffected, res.Error
}

// write sends a statement; it returns w.otherwise if no row changed.
func (q querier) write(w write) error {
	if q.burst != nil {
		q.e.meter.statements.Add(1)
		return q.burst.add(w)
	}
	n, err := q.exec(w.text, w.args...)
	if err != nil {
		return err
	}
	return w.outcome(n)
}

// send runs a write of any number of rows.
func (q querier) send(text string, args ...any) error {
	return q.write(write{text: text, args: args})
}

// spend runs a conditional write, which must change a row.
func (q querier) spend(text string, args ...any) error {
	return q.write(write{text: text, args: args, otherwise: storage.ErrConflict})
}

// requireRow runs a query that must return a row; otherwise it calls miss.
func (q querier) requireRow(miss func(), text string, args ...any) error {
	if q.burst != nil {
		return q.write(write{text: text, args: args, otherwise: storage.ErrConflict, miss: miss})
	}
	var there number
	err := q.one(text, args, &there)
	if errors.Is(err, storage.ErrNotFound) {
		miss()
		return storage.ErrConflict
	}
	return err
}

// change runs a write to a record that must exist.
func (q querier) change(text string, args ...any) error {
	return q.write(write{text: text, args: args, otherwise: storage.ErrNotFound})
}

// each calls scan for every row of a query.
func (q querier) each(text string, args []any, scan func(scanner) error) error {
	q.e.meter.statements.Add(1)
	if q.burst != nil {
		return q.burst.query(text, args, scan)
	}
	if q.call != nil {
		return q.call.query(text, args, scan)
	}
	rows, err := q.db.Raw(text, args...).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	return scanned(rows, scan)
}

// ignore replaces destinations by those for values that are not needed. Only database/sql has to
// decode these.
func (q querier) ignore(dest []any) {
	for i := range dest {
		if dest[i] = nil; q.db != nil {
			dest[i] = skip{}
		}
	}
}

// cursor iterates over the rows of a query of any driver.
type cursor interface {
	scanner
	Next() bool
	Err() error
}

func scanned(rows cursor, scan func(scanner) error) error {
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads the only row of a query.
func (q querier) one(text string, args []any, dest ...any) error {
	found := false
	err := q.each(text, args, func(rows scanner) error {
		found = true
		return rows.Scan(dest...)
	})
	if err == nil && !found {
		return storage.ErrNotFound
	}
	return err
}

// read runs queries without a transaction.
func (e *Engine) read(ctx context.Context, operation string, do func(querier) error) error {
	return e.run(ctx, operation, false, func(ctx context.Context) error {
		return e.common(ctx, false, false, querier{e: e}, do)
	})
}

// write runs one statement in its own transaction.
func (e *Engine) write(ctx context.Context, operation string, do func(querier) error) error {
	return e.change(ctx, operation, false, do)
}

// step runs a transaction.
func (e *Engine) step(ctx context.Context, operation string, do func(querier) error) error {
	return e.change(ctx, operation, true, do)
}

func (e *Engine) change(ctx context.Context, operation string, transaction bool, do func(querier) error) error {
	return e.run(ctx, operation, true, func(ctx context.Context) error {
		var written []storage.Event
		err := e.common(ctx, true, transaction, querier{e: e, written: &written}, do)
		if err == nil {
			e.committed(written)
		}
		return err
	})
}

// common is the path of all calls on SQLite, and of those that are not hot on PostgreSQL.
func (e *Engine) common(ctx context.Context, writes, transaction bool, q querier, do func(querier) error) error {
	if e.files != nil {
		return e.files.with(writes, func(f *file) error {
			q.call = &call{ctx, f, &e.statements}
			if transaction {
				return q.call.transaction(func() error { return do(q) })
			}
			return do(q)
		})
	}
	q.db = e.db.WithContext(ctx)
	if !writes {
		return do(q)
	}
	run := func(db *gorm.DB) error {
		q.db = db
		return do(q)
	}
	return certain(q.db, func(db *gorm.DB) error {
		if transaction {
			return db.Transaction(run)
		}
		return run(db)
	})
}

// run makes a call, counts it and traces it.
func (e *Engine) run(ctx context.Context, operation string, writes bool, once func(context.Context) error) error {
	var end func(error)
	if e.o.Span != nil {
		end = e.o.Span(ctx, operation)
	}
	err := e.attempt(ctx, operation, writes, once)
	e.meter.failed(err)
	if end != nil {
		end(err)
	}
	return err
}

// attempt waits for a connection, runs once, retries after a deadlock or a serialization
// failure, and adds the operation to errors other than ErrConflict and ErrNotFound. It takes
// at most callWait with all of these, even if the database does not respond.
func (e *Engine) attempt(ctx context.Context, operation string, writes bool, once func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	release, err := e.acquire(ctx, writes)
	if err != nil {
		return e.failed(operation, err)
	}
	defer release()
	for try := 0; ; try++ {
		err := translate(once(ctx))
		if err == nil || errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if try == maxRetries || !transient(err) || wait(ctx) != nil {
			return e.failed(operation, err)
		}
		e.meter.retries.Add(1)
	}
}

// failed adds the operation to an error, and ErrUnavailable if a retry may help.
func (e *Engine) failed(operation string, err error) error {
	if sqlState(err) == pgReadOnly && e.direct != nil {
		e.direct.Reset() // find the new primary
	}
	if unavailable(err) {
		return fmt.Errorf("%s: %w: %w", operation, storage.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", operation, err)
}

// acquire takes a connection's slot, and on SQLite the only writer's, so that callers fail
// after two seconds instead of piling up.
func (e *Engine) acquire(ctx context.Context, writes bool) (release func(), err error) {
	var p patience
	defer p.stop()
	if err := e.take(ctx, e.slots, &p); err != nil {
		return nil, err
	}
	if !writes || e.writer == nil {
		return func() { <-e.slots }, nil
	}
	if err := e.take(ctx, e.writer, &p); err != nil {
		<-e.slots
		return nil, err
	}
	return func() { <-e.writer; <-e.slots }, nil
}

// patience is how long a caller waits for its places in all. Most callers never begin to.
type patience struct{ timer *time.Timer }

// late is sent to at the end.
func (p *patience) late() <-chan time.Time {
	if p.timer == nil {
		p.timer = time.NewTimer(slotWait)
	}
	return p.timer.C
}

func (p *patience) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

var errPool = errors.New("no database connection became free in time")

func (e *Engine) take(ctx context.Context, places chan struct{}, p *patience) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	e.meter.waits.Add(1)
	took := e.stopwatch()
	defer func() { e.meter.waited.Add(int64(took())) }()
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.late():
		return errPool
	}
}

// wait lets the other transaction of a deadlock go first: 5 to 50 ms.
func wait(ctx context.Context) error {
	timer := time.NewTimer(5*time.Millisecond + rand.N(45*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
