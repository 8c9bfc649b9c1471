package relational

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// connState is what belongs to a connection of the pool. Through PgBouncer a connection has many
// sessions, so that only the types of a statement are kept, and it has no name.
type connState struct {
	conn   *pgconn.PgConn
	expiry *time.Timer // fails what the connection waits for
	// prepared are its statements, by their text.
	prepared map[string]*pgconn.StatementDescription
}

const (
	stateKey     = "sallyport: state" // in a connection's data
	mostPrepared = 500                // lists of another length are another statement
)

// stateOf returns the state of a connection, whose expiry is stopped.
func stateOf(conn *pgconn.PgConn) *connState {
	data := conn.CustomData()
	s, ok := data[stateKey].(*connState)
	if !ok {
		s = &connState{conn: conn, prepared: map[string]*pgconn.StatementDescription{}}
		s.expiry = time.AfterFunc(time.Hour, func() { _ = conn.Conn().SetDeadline(past) })
		data[stateKey] = s
	}
	return s
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// message is statements that are sent to PostgreSQL at once (docs/decisions/0191). It is a
// transaction unless one is open.
type message struct {
	to    *connState
	batch pgconn.Batch
}

// inBinary is the format of all results.
var inBinary = []int16{pgtype.BinaryFormatCode}

// add adds a statement with values as expand returns them.
func (m *message) add(ctx context.Context, text string, args []any, pooled bool) error {
	return m.to.bind(ctx, text, args, pooled, func(s *pgconn.StatementDescription, p *parameters) {
		if s.Name == "" {
			m.batch.ExecParams(text, p.values, s.ParamOIDs, p.formats, inBinary)
		} else {
			m.batch.ExecStatement(s, p.values, p.formats, inBinary)
		}
	})
}

// ask sends a message of one statement, in the connection's own buffer. The result has to be closed.
func (c *connState) ask(ctx context.Context, text string, args []any, pooled bool) (out *pgconn.ResultReader, err error) {
	err = c.bind(ctx, text, args, pooled, func(s *pgconn.StatementDescription, p *parameters) {
		if s.Name == "" {
			out = c.conn.ExecParams(context.Background(), text, p.values, s.ParamOIDs, p.formats, inBinary)
		} else {
			out = c.conn.ExecStatement(context.Background(), s, p.values, p.formats, inBinary)
		}
	})
	return out, err
}

// bind prepares a statement and encodes its values, which use must not keep.
func (c *connState) bind(ctx context.Context, text string, args []any, pooled bool, use func(*pgconn.StatementDescription, *parameters)) error {
	s, err := c.prepare(ctx, text, pooled)
	if err != nil {
		return err
	}
	if len(args) != len(s.ParamOIDs) {
		return fmt.Errorf("%d values for %d parameters", len(args), len(s.ParamOIDs))
	}
	p := parametersPool.Get().(*parameters)
	defer p.reset()
	for i, arg := range args {
		if err := p.add(arg, s.ParamOIDs[i]); err != nil {
			return fmt.Errorf("parameter %d: %w", i+1, err)
		}
	}
	use(s, p)
	return nil
}

// prepare returns a statement of the connection.
func (c *connState) prepare(ctx context.Context, text string, pooled bool) (*pgconn.StatementDescription, error) {
	if s, ok := c.prepared[text]; ok {
		return s, nil
	}
	name := ""
	if !pooled {
		sum := sha256.Sum256([]byte(text)) // so that it has the same name on every connection
		name = "hot_" + hex.EncodeToString(sum[:12])
	}
	s, err := c.conn.Prepare(ctx, name, text, nil)
	if err != nil {
		return nil, err
	}
	if len(s.Fields) == 0 {
		// One that returns no rows. pgconn would ask for its columns each time.
		s.Fields = []pgconn.FieldDescription{{}}
	}
	c.prepared[text] = s
	return s, nil
}

// trim drops statements that are too many. A message that is being put together may name any.
func (c *connState) trim(ctx context.Context) error {
	for text, s := range c.prepared {
		if len(c.prepared) < mostPrepared {
			break
		}
		delete(c.prepared, text)
		if s.Name == "" {
			continue
		}
		if err := c.conn.Deallocate(ctx, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// send sends the message. The results have to be closed. It ends with the lease of the connection,
// not with a context, which pgconn would watch.
func (m *message) send() results {
	return results{m.to.conn.ExecBatch(context.Background(), &m.batch)}
}

// results are those of a message, one for each statement.
type results struct{ all *pgconn.MultiResultReader }

// next returns the outcome of the next statement, or why there is none.
func (r results) next() (pgconn.CommandTag, error) {
	if r.all.NextResult() {
		return r.all.ResultReader().Close()
	}
	if err := r.all.Close(); err != nil {
		return pgconn.CommandTag{}, err
	}
	return pgconn.CommandTag{}, errors.New("PostgreSQL returned no result")
}

// close reads the end of the message: an implicit transaction ends there.
func (r results) close() error { return r.all.Close() }

// stale reports whether a prepared statement is not what the connection takes it for. It is then
// closed.
func stale(err error) bool {
	state := sqlState(err)
	return state == pgPlanChanged || state == pgNoStatement
}

// parameters are the values of a statement in the format of the protocol.
type parameters struct {
	values  [][]byte
	formats []int16
	texts   []byte
}

// A part of no buffer would be nil, and an empty text NULL.
var parametersPool = sync.Pool{New: func() any { return &parameters{texts: make([]byte, 0, 512)} }}

func (p *parameters) reset() {
	clear(p.values)
	p.values, p.formats, p.texts = p.values[:0], p.formats[:0], p.texts[:0]
	if cap(p.texts) <= 1<<16 {
		parametersPool.Put(p)
	}
}

// add adds a value for a parameter of a type.
func (p *parameters) add(arg any, oid uint32) error {
	from := len(p.texts)
	format := int16(pgtype.TextFormatCode)
	switch v := arg.(type) {
	case nil:
		p.values, p.formats = append(p.values, nil), append(p.formats, format)
		return nil
	case []byte:
		if v == nil {
			v = []byte{}
		}
		p.values, p.formats = append(p.values, v), append(p.formats, pgtype.BinaryFormatCode)
		return nil
	case string:
		p.texts = append(p.texts, v...)
	case bool:
		p.texts = strconv.AppendBool(p.texts, v)
	case int:
		p.texts, format = appendInteger(p.texts, int64(v), oid)
	case int64:
		p.texts, format = appendInteger(p.texts, v, oid)
	default:
		switch x := reflect.ValueOf(arg); {
		case x.Kind() == reflect.String:
			p.texts = append(p.texts, x.String()...)
		case x.CanInt():
			p.texts, format = appendInteger(p.texts, x.Int(), oid)
		default:
			return fmt.Errorf("a value of type %T", arg)
		}
	}
	p.values, p.formats = append(p.values, p.texts[from:len(p.texts):len(p.texts)]), append(p.formats, format)
	return nil
}

func appendInteger(to []byte, v int64, oid uint32) ([]byte, int16) {
	if oid == pgtype.Int8OID {
		return binary.BigEndian.AppendUint64(to, uint64(v)), pgtype.BinaryFormatCode
	}
	return strconv.AppendInt(to, v, 10), pgtype.TextFormatCode
}
