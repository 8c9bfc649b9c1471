package relational

import (
	"context"
	"database/sql/driver"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sallyport/storage"
)

// The calls of every login bypass gorm and database/sql on PostgreSQL and send the writes of
// a transaction as one message (docs/decisions/0034). SQLite and administration take the
// common path in run.go.

// rollbackWait bounds a rollback.
const rollbackWait = time.Second

// quick is read over a bare connection.
func (e *Engine) quick(ctx context.Context, operation string, do func(querier) error) error {
	if e.direct == nil {
		return e.read(ctx, operation, do)
	}
	return e.run(ctx, operation, false, func(ctx context.Context) error {
		conn, err := e.direct.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		return do(querier{e: e, burst: &burst{e: e, ctx: ctx, conn: conn}})
	})
}

// burst is step without reads between writes: the writes are collected and sent as one
// message when do returns. If a conditional write changes no row, the transaction is rolled
// back.
func (e *Engine) burst(ctx context.Context, operation string, do func(querier) error) error {
	if e.direct == nil {
		return e.step(ctx, operation, do)
	}
	return e.run(ctx, operation, true, func(ctx context.Context) error {
		conn, err := e.direct.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // the pool discards a connection with an open transaction
		b := &burst{e: e, ctx: ctx, conn: conn}
		var written []storage.Event
		if err := do(querier{e: e, burst: b, written: &written}); err != nil {
			b.rollback()
			return err
		}
		err = b.commit()
		if err == nil {
			e.committed(written)
		}
		return err
	})
}

// burst collects the writes of a transaction.
type burst struct {
	e     *Engine
	ctx   context.Context
	conn  *pgxpool.Conn
	queue []write
	begun bool
}

// write is a statement to send. If it changes no row, miss is called and otherwise is
// returned, unless nil.
type write struct {
	text      string
	args      []any
	otherwise error
	miss      func()
}

func (b *burst) add(w write) error {
	var err error
	w.text, w.args, err = numbered(w.text, w.args)
	b.queue = append(b.queue, w)
	return err
}

// flush sends the collected writes in the transaction, which it begins if necessary. With
// last it also commits; no result may decide against it.
func (b *burst) flush(last bool) error {
	if len(b.queue) == 0 {
		return nil
	}
	var batch pgx.Batch
	if !b.begun {
		batch.Queue("BEGIN")
	}
	for _, w := range b.queue {
		batch.Queue(w.text, w.args...)
	}
	if last {
		batch.Queue("COMMIT")
	}
	results := b.conn.SendBatch(b.ctx, &batch)
	err := b.read(results, last)
	// Close reads the remaining results. A failure among them follows from the first one.
	if closing := results.Close(); err == nil {
		err = closing
	}
	b.queue = nil
	return err
}

func (b *burst) read(results pgx.BatchResults, last bool) error {
	if !b.begun {
		if _, err := results.Exec(); err != nil {
			return err
		}
		b.begun = true
	}
	for _, w := range b.queue {
		tag, err := results.Exec()
		if err != nil {
			return err
		}
		if err := w.outcome(tag.RowsAffected()); err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	_, err := results.Exec()
	b.begun = err != nil
	return err
}

func (w write) outcome(rows int64) error {
	if rows > 0 {
		return nil
	}
	if w.miss != nil {
		w.miss()
	}
	return w.otherwise
}

// commit sends the remaining writes and ends the transaction. A single write needs no
// transaction; writes without conditions are sent together with COMMIT.
func (b *burst) commit() error {
	if !b.begun && len(b.queue) == 1 {
		w := b.queue[0]
		tag, err := b.conn.Exec(b.ctx, w.text, w.args...)
		if err != nil {
			return err
		}
		return w.outcome(tag.RowsAffected())
	}
	sure := true
	for _, w := range b.queue {
		sure = sure && w.otherwise == nil
	}
	err := b.flush(sure)
	if err == nil && b.begun {
		err = b.end()
	}
	if err != nil {
		b.rollback()
	}
	return err
}

// end commits. PostgreSQL responds with ROLLBACK if the transaction had failed.
func (b *burst) end() error {
	tag, err := b.conn.Exec(b.ctx, "COMMIT")
	if err != nil {
		return err
	}
	b.begun = false
	if tag.String() != "COMMIT" {
		return storage.ErrConflict
	}
	return nil
}

// rollback runs even if the caller has left. If it fails, the connection is closed.
func (b *burst) rollback() {
	if !b.begun || b.conn.Conn().IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), rollbackWait)
	defer cancel()
	_, _ = b.conn.Exec(ctx, "ROLLBACK")
}

// query sends the collected writes, then runs a query.
func (b *burst) query(text string, args []any, scan func(scanner) error) error {
	if err := b.flush(false); err != nil {
		return err
	}
	text, args, err := numbered(text, args)
	if err != nil {
		return err
	}
	rows, err := b.conn.Query(b.ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return scanned(rows, scan)
}

// numbered turns placeholders into PostgreSQL's, one for each value of a list, and converts
// values for the driver. Statements hold no other "?".
func numbered(text string, args []any) (string, []any, error) {
	var out strings.Builder
	out.Grow(len(text) + 2*len(args))
	values := make([]any, 0, len(args))
	put := func(v any) error {
		if x, ok := v.(driver.Valuer); ok {
			var err error
			if v, err = x.Value(); err != nil {
				return err
			}
		}
		values = append(values, v)
		out.WriteByte('$')
		out.WriteString(strconv.Itoa(len(values)))
		return nil
	}
	for _, arg := range args {
		at := strings.IndexByte(text, '?')
		out.WriteString(text[:at])
		text = text[at+1:]
		if err := each(arg, &out, put); err != nil {
			return "", nil, err
		}
	}
	out.WriteString(text)
	return out.String(), values, nil
}

// each calls put for a value, or for every value of a list in parentheses.
func each(arg any, out *strings.Builder, put func(any) error) error {
	var list []any
	switch arg := arg.(type) {
	case driver.Valuer, []byte, string, int64, bool, nil:
		return put(arg)
	case [][]byte:
		for _, v := range arg {
			list = append(list, v)
		}
	case []any:
		list = arg
	default:
		v := reflect.ValueOf(arg)
		if v.Kind() != reflect.Slice {
			return put(arg)
		}
		for i := range v.Len() {
			list = append(list, v.Index(i).Interface())
		}
	}
	out.WriteByte('(')
	if len(list) == 0 {
		out.WriteString("NULL")
	}
	for i, v := range list {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := put(v); err != nil {
			return err
		}
	}
	out.WriteByte(')')
	return nil
}
