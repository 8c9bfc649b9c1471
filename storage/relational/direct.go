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

// The calls that every login makes go to PostgreSQL without gorm and database/sql in
// between, and what a transaction writes goes as one message: this file is that path.
// docs/decisions/0034 has the reason and the figures. SQLite, and whatever an
// administrator does, takes the common path of run.go.

// rollbackWait bounds the wait for the end of a transaction that came to nothing.
const rollbackWait = time.Second

// quick is read over a bare connection.
func (e *Engine) quick(ctx context.Context, deed string, do func(querier) error) error {
	if e.direct == nil {
		return e.read(ctx, deed, do)
	}
	return e.run(ctx, deed, false, func(ctx context.Context) error {
		conn, err := e.direct.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		return do(querier{e: e, burst: &burst{e: e, ctx: ctx, conn: conn}})
	})
}

// burst is step where nothing is read between the writes: they are gathered, and sent
// as one message when do is through. A conditional write that changed no row is found
// out then, and nothing of the step happens.
func (e *Engine) burst(ctx context.Context, deed string, do func(querier) error) error {
	if e.direct == nil {
		return e.step(ctx, deed, do)
	}
	return e.run(ctx, deed, true, func(ctx context.Context) error {
		conn, err := e.direct.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // one whose transaction is open is not used again
		b := &burst{e: e, ctx: ctx, conn: conn}
		var told []storage.Event
		if err := do(querier{e: e, burst: b, told: &told}); err != nil {
			b.rollback()
			return err
		}
		err = b.commit()
		if err == nil {
			e.committed(told)
		}
		return err
	})
}

// burst gathers the writes of one transaction.
type burst struct {
	e     *Engine
	ctx   context.Context
	conn  *pgxpool.Conn
	queue []write
	begun bool
}

// write is a statement that is to be sent. Where it changes no row, miss is called and
// otherwise is the error, if they are not nil.
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

// flush sends what was gathered inside the transaction, which it begins if need be.
// last also commits, where no answer decides whether to.
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
	// Closing reads the answers that nobody waits for any more. A failure among them
	// follows from the one that was found first.
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

// commit sends what is left and ends the transaction. A single write needs none, and
// one without conditions is sent with its end.
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

// end commits. PostgreSQL answers ROLLBACK where the transaction had failed before.
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

// rollback also runs for a caller who has left. Where it fails the connection goes.
func (b *burst) rollback() {
	if !b.begun || b.conn.Conn().IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), rollbackWait)
	defer cancel()
	_, _ = b.conn.Exec(ctx, "ROLLBACK")
}

// query runs a query. What was gathered before goes first.
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

// numbered turns the marks of a statement into PostgreSQL's, a list into as many as
// it has values, and our values into the driver's. Statements hold no other "?".
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

// each puts a value, or every value of a list in parentheses.
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
