package relational

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"sallyport/storage"
)

// The calls of every login bypass gorm and database/sql on PostgreSQL (docs/decisions/0034) and
// send the writes of a transaction as one message (0086). SQLite (0087) and administration
// take the common path in run.go.

// rollbackWait bounds a rollback.
const rollbackWait = time.Second

// quick is read over a bare connection.
func (e *Engine) quick(ctx context.Context, operation string, do func(querier) error) error {
	if e.direct == nil {
		return e.read(ctx, operation, do)
	}
	return e.run(ctx, operation, false, func(ctx context.Context) error {
		b, err := e.lease(ctx)
		if err != nil {
			return err
		}
		defer b.release()
		return do(querier{e: e, burst: b})
	})
}

// burst is step without reads between writes: the writes are collected and sent as one
// message when do returns. If a conditional write changes no row, nothing is written.
func (e *Engine) burst(ctx context.Context, operation string, do func(querier) error) error {
	if e.direct == nil {
		return e.step(ctx, operation, do)
	}
	return e.run(ctx, operation, true, func(ctx context.Context) error {
		b, err := e.lease(ctx)
		if err != nil {
			return err
		}
		defer b.release()
		var written []storage.Event
		if err := do(querier{e: e, burst: b, written: &written}); err != nil {
			b.rollback()
			return err
		}
		err = b.commit()
		if err == nil {
			err = doubted(b.state.conn)
		}
		if err == nil {
			e.committed(written)
		}
		return err
	})
}

// lease takes a connection of the pool until the deadline of the call: then it fails, and is closed.
func (e *Engine) lease(ctx context.Context) (*burst, error) {
	conn, err := e.direct.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	b := &burst{e: e, ctx: ctx, conn: conn, state: stateOf(conn.Conn().PgConn())}
	deadline, _ := ctx.Deadline() // of attempt
	b.state.expiry.Reset(time.Until(deadline))
	if err := b.state.trim(ctx); err != nil {
		b.release()
		return nil, err
	}
	return b, nil
}

// release returns the connection. The pool discards a closed one, and one with an open transaction.
func (b *burst) release() {
	if !b.state.expiry.Stop() {
		b.discard()
	}
	b.conn.Release()
}

// discard closes the connection, which is not to be used again.
func (b *burst) discard() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), rollbackWait)
	defer cancel()
	_ = b.conn.Conn().Close(ctx)
}

// burst collects the writes of a transaction.
type burst struct {
	e     *Engine
	ctx   context.Context
	conn  *pgxpool.Conn
	state *connState
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

// unchanged is what PostgreSQL writes into its log when a conditional write changes no row. The
// cast that fails with it ends the transaction, so that one message can hold conditions, writes
// and their commit (docs/decisions/0086).
const unchanged = "no row changed, so nothing is written"

// mustChange makes a conditional write, or a query in its place, fail if it has no row.
func mustChange(text string) string {
	returning := " RETURNING 1"
	if strings.HasPrefix(text, "SELECT") {
		returning = ""
	}
	return "WITH w AS (" + text + returning + ") SELECT CASE count(*) WHEN 0 THEN CAST('" + unchanged + "' || left(CAST(count(*) AS text), 0) AS boolean) END FROM w"
}

// missed reports whether a write failed for having no row.
func missed(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == pgInvalidText && strings.Contains(pg.Message, unchanged)
}

func (b *burst) add(w write) error {
	b.queue = append(b.queue, w)
	return nil
}

// flush sends the collected writes as one message. With last it ends the transaction, and is
// all of it if none has begun. Otherwise the transaction begins, if necessary, and stays open.
func (b *burst) flush(last bool) error {
	end := b.begun && last
	if len(b.queue) == 0 && !end {
		return nil
	}
	m, begin := b.message(), !b.begun && !last
	if begin {
		if err := b.say(m, "BEGIN"); err != nil {
			return err
		}
	}
	for _, w := range b.queue {
		expand := b.e.statements.expand
		if last && w.otherwise != nil {
			expand = b.e.statements.mustChange
		}
		text, args, err := expand(w.text, w.args)
		if err != nil {
			return err
		}
		if err := b.say(m, text, args...); err != nil {
			return err
		}
	}
	if end {
		if err := b.say(m, "COMMIT"); err != nil {
			return err
		}
	}
	results := m.send()
	err := b.read(results, begin, end)
	// Without COMMIT the transaction ends after its last result: only close reads how. A failure
	// behind another one follows from that.
	if closing := results.close(); err == nil {
		err = closing
	}
	b.queue = nil
	return b.checked(err)
}

func (b *burst) read(results results, begin, end bool) error {
	if begin {
		if _, err := results.next(); err != nil {
			return err
		}
		b.begun = true
	}
	for _, w := range b.queue {
		tag, err := results.next()
		if missed(err) {
			return w.outcome(0)
		}
		if err != nil {
			return err
		}
		if err := w.outcome(tag.RowsAffected()); err != nil {
			return err
		}
	}
	if !end {
		return nil
	}
	tag, err := results.next()
	if err != nil {
		return err
	}
	b.begun = false
	if tag.String() != "COMMIT" { // PostgreSQL rolled a failed transaction back
		return storage.ErrConflict
	}
	return nil
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

// commit sends the remaining writes and ends the transaction. A single write needs none: its
// count says whether it changed a row.
func (b *burst) commit() error {
	if !b.begun && len(b.queue) == 1 {
		return b.single(b.queue[0])
	}
	// What a counter refuses is routine, and anybody can cause it: it must not fill
	// PostgreSQL's log, so that its commit is a message of its own.
	var err error
	if slices.ContainsFunc(b.queue, func(w write) bool { return w.miss != nil && w.otherwise != nil }) {
		err = b.flush(false)
	}
	if err == nil {
		err = b.flush(true)
	}
	if err != nil {
		b.rollback()
	}
	return err
}

func (b *burst) single(w write) error {
	text, args, err := b.e.statements.expand(w.text, w.args)
	if err != nil {
		return err
	}
	result, err := b.state.ask(b.ctx, text, args, b.e.pooled)
	if err != nil {
		return b.checked(err)
	}
	tag, err := result.Close()
	if err != nil {
		return b.checked(err)
	}
	return w.outcome(tag.RowsAffected())
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
	text, args, err := b.e.statements.expand(text, args)
	if err != nil {
		return err
	}
	result, err := b.state.ask(b.ctx, text, args, b.e.pooled)
	if err != nil {
		return b.checked(err)
	}
	var row pgRow
	for err == nil && result.NextRow() {
		row.fields, row.values = result.FieldDescriptions(), result.Values()
		err = scan(&row)
	}
	if _, closing := result.Close(); err == nil {
		err = closing
	}
	return b.checked(err)
}

func (b *burst) message() *message { return &message{to: b.state} }

// say adds a statement to a message.
func (b *burst) say(m *message, text string, args ...any) error {
	return b.checked(m.add(b.ctx, text, args, b.e.pooled))
}

// checked closes a connection whose prepared statements are not what it takes them for.
func (b *burst) checked(err error) error {
	if stale(err) {
		b.discard()
	}
	return err
}
