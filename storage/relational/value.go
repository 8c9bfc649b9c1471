package relational

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"sallyport/storage"
)

// micro returns a time as Unix microseconds, the zero time as 0.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// at is the reverse of micro.
func at(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// ref encodes an identifier. An empty or malformed one becomes NULL, which equals nothing:
// lookups find nothing, and no driver sees malformed input.
func ref[T ~string](id T) any {
	if _, ok := storage.Bytes(id); !ok {
		return nil
	}
	return string(id)
}

// refs encodes identifiers, without malformed ones.
func refs[T ~string](ids []T) []any {
	out := []any{}
	for _, id := range ids {
		if r := ref(id); r != nil {
			out = append(out, r)
		}
	}
	return out
}

// blob encodes bytes; nil becomes NULL.
func blob(b []byte) any {
	if b == nil {
		return nil
	}
	return octets(b)
}

// octets is a single value for GORM, which treats a plain byte slice after a parenthesis as
// a list of numbers.
type octets []byte

// Value implements driver.Valuer.
func (o octets) Value() (driver.Value, error) { return []byte(o), nil }

// plain reports whether PostgreSQL can store a text unchanged.
func plain[T ~string | ~[]byte](s T) bool {
	return utf8.ValidString(string(s)) && !strings.ContainsRune(string(s), 0)
}

// clean replaces what PostgreSQL cannot store in untrusted text, such as a user agent.
func clean[T ~string | ~[]byte](s T) string {
	if plain(s) {
		return string(s)
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(s), "\uFFFD"), "\x00", "\uFFFD")
}

// document is a value stored as JSON text. A value that JSON cannot represent fails the
// statement.
type document struct{ of any }

// encode returns a value as a document.
func encode(v any) document { return document{v} }

// Value implements driver.Valuer.
func (d document) Value() (driver.Value, error) {
	b, err := json.Marshal(d.of)
	if err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return string(b), nil
}

// decode parses JSON text; an empty text leaves v unchanged.
func decode(what string, s text, v any) error {
	if s == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// raw returns JSON text unparsed.
func raw(s text) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

// text scans a text or an identifier; NULL, as outer joins have it, becomes "".
type text string

// Scan implements sql.Scanner.
func (t *text) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*t = ""
	case string:
		*t = text(v)
	case []byte:
		*t = text(v)
	default:
		return fmt.Errorf("want text, got %T", v)
	}
	return nil
}

// ScanText implements pgtype.TextScanner, so that pgx need not box the value.
func (t *text) ScanText(v pgtype.Text) error {
	*t = text(v.String)
	return nil
}

// number scans an integer; NULL becomes 0.
type number int64

// Scan implements sql.Scanner.
func (n *number) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*n = 0
	case int64:
		*n = number(v)
	default:
		return fmt.Errorf("want an integer, got %T", v)
	}
	return nil
}

// ScanInt64 implements pgtype.Int64Scanner.
func (n *number) ScanInt64(v pgtype.Int8) error {
	*n = number(v.Int64)
	return nil
}

func (n number) time() time.Time { return at(int64(n)) }

// skip scans and discards a value.
type skip struct{}

// Scan implements sql.Scanner.
func (skip) Scan(any) error { return nil }

// insertion collects rows for one INSERT statement.
type insertion struct {
	into          string // up to VALUES
	rows, columns int
	args          []any
}

func insertInto(into string) *insertion { return &insertion{into: into} }

func (i *insertion) add(values ...any) {
	i.columns = len(values)
	if i.rows++; i.rows == 1 {
		i.args = values
		return
	}
	i.args = append(i.args, values...)
}

// run sends the statement, if there is a row, with an ending such as ON CONFLICT.
func (i *insertion) run(q querier, ending string) error {
	if i.rows == 0 {
		return nil
	}
	return q.send(i.text(q, ending), i.args...)
}

func (i *insertion) text(q querier, ending string) string {
	return q.e.statements.insert(inserting{i.into, ending, i.rows, i.columns})
}
