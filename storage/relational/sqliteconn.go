package relational

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// files are connections to a SQLite database without gorm and database/sql, each with its
// prepared statements (docs/decisions/0087). The slots of the engine bound their number.
type files struct {
	address string
	driver  driver.Driver
	open    atomic.Int64
	mu      sync.Mutex
	idle    []*file // readers
	writer  *file   // one for all writes, so that the pages it read before stay valid
	closed  bool
}

// file is a connection. One call uses it at a time.
type file struct {
	conn     driver.Conn
	prepared map[string]driver.Stmt
}

// call is what a call has of its connection.
type call struct {
	ctx context.Context
	f   *file
	st  *statements
}

// with runs a call over a connection.
func (fs *files) with(writes bool, do func(*file) error) error {
	f, err := fs.take(writes)
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended { // a panic, perhaps in a transaction
			_ = f.close()
		}
		fs.give(f, writes)
	}()
	err = do(f)
	ended = true
	return err
}

func (fs *files) take(writes bool) (*file, error) {
	fs.mu.Lock()
	if fs.closed {
		fs.mu.Unlock()
		return nil, sql.ErrConnDone
	}
	f := fs.writer
	if writes {
		fs.writer = nil
	} else if f = nil; len(fs.idle) > 0 {
		f, fs.idle = fs.idle[len(fs.idle)-1], fs.idle[:len(fs.idle)-1]
	}
	fs.mu.Unlock()
	if f != nil {
		return f, nil
	}
	conn, err := fs.driver.Open(fs.address)
	if err != nil {
		return nil, err
	}
	fs.open.Add(1)
	return &file{conn: conn, prepared: map[string]driver.Stmt{}}, nil
}

func (fs *files) give(f *file, writes bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	switch {
	case fs.closed || f.conn == nil:
		fs.open.Add(-1)
		_ = f.close()
	case writes:
		fs.writer = f
	default:
		fs.idle = append(fs.idle, f)
	}
}

func (fs *files) close() error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.closed = true
	all := fs.idle
	if fs.writer != nil {
		all = append(all, fs.writer)
	}
	fs.idle, fs.writer = nil, nil
	var err error
	for _, f := range all {
		fs.open.Add(-1)
		err = errors.Join(err, f.close())
	}
	return err
}

func (f *file) close() error {
	f.forget()
	if f.conn == nil {
		return nil
	}
	err := f.conn.Close()
	f.conn = nil
	return err
}

func (f *file) forget() {
	for text, s := range f.prepared {
		_ = s.Close()
		delete(f.prepared, text)
	}
}

func (f *file) prepare(text string) (driver.Stmt, error) {
	if s, ok := f.prepared[text]; ok {
		return s, nil
	}
	if len(f.prepared) >= sqliteStatements {
		f.forget()
	}
	s, err := f.conn.Prepare(text)
	if err == nil {
		f.prepared[text] = s
	}
	return s, err
}

// transaction commits what do writes. A transaction that began with a read could not write
// later, so that it begins with the lock.
func (c call) transaction(do func() error) error {
	if _, err := c.exec("BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	err := do()
	if err == nil {
		if _, err = c.exec("COMMIT", nil); err == nil {
			return nil
		}
	}
	c.ctx = context.WithoutCancel(c.ctx)
	if _, failed := c.exec("ROLLBACK", nil); failed != nil { // perhaps SQLite has rolled back already
		_ = c.f.close()
	}
	return err
}

// exec runs a statement and returns how many rows it changed.
func (c call) exec(text string, args []any) (int64, error) {
	s, values, err := c.prepare(text, args)
	if err != nil {
		return 0, err
	}
	done, err := s.(driver.StmtExecContext).ExecContext(c.ctx, values)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func (c call) query(text string, args []any, scan func(scanner) error) error {
	s, values, err := c.prepare(text, args)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(c.ctx, values)
	if err != nil {
		return err
	}
	r := row{values: make([]driver.Value, len(rows.Columns()))}
	for {
		if err = rows.Next(r.values); err == io.EOF {
			return rows.Close()
		}
		if err == nil {
			err = c.ctx.Err()
		}
		if err == nil {
			err = scan(r)
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
	}
}

func (c call) prepare(text string, args []any) (driver.Stmt, []driver.NamedValue, error) {
	text, args, err := c.st.expand(text, args)
	if err != nil {
		return nil, nil, err
	}
	values := make([]driver.NamedValue, len(args))
	for i, v := range args {
		switch x := v.(type) {
		case nil, string, []byte, int64, bool:
		case int:
			v = int64(x)
		default:
			if v, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
				return nil, nil, err
			}
		}
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	s, err := c.f.prepare(text)
	return s, values, err
}

// row is a row of a SQLite query.
type row struct{ values []driver.Value }

// Scan implements scanner.
func (r row) Scan(dest ...any) error {
	if len(dest) != len(r.values) {
		return fmt.Errorf("%d columns for %d values", len(r.values), len(dest))
	}
	for i, d := range dest {
		if err := scanValue(d, r.values[i]); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

func scanValue(dest any, v driver.Value) error {
	ok := true
	switch d := dest.(type) {
	case nil: // not needed
	case sql.Scanner:
		return d.Scan(v)
	case *[]byte:
		if *d = nil; v != nil {
			*d, ok = v.([]byte)
		}
	case *any:
		*d = v
	case *string:
		*d, ok = v.(string)
	case *int64:
		*d, ok = v.(int64)
	case *bool:
		var n int64
		n, ok = v.(int64)
		*d = n != 0
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("%T does not take %T", dest, v)
	}
	return nil
}
