package relational

import (
	"database/sql/driver"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// statements translates statements of this package for a driver: they get a placeholder for each
// value of a list, numbered on PostgreSQL.
type statements struct {
	numbered bool
	mu       sync.RWMutex
	texts    map[shape]string
	inserts  map[inserting]string
}

// shape tells apart what a statement becomes: lists of another length are another text.
type shape struct {
	text       string
	lists      uint64 // lengths, 16 bits each
	mustChange bool
}

const (
	maxTexts = 1000
	maxLists = 4
)

// expand returns the driver's text and values. Statements hold "?" for placeholders only.
func (s *statements) expand(text string, args []any) (string, []any, error) {
	return s.shaped(shape{text: text}, args)
}

// mustChange is expand for a conditional write that is to fail if it has no row.
func (s *statements) mustChange(text string, args []any) (string, []any, error) {
	return s.shaped(shape{text: text, mustChange: true}, args)
}

func (s *statements) shaped(key shape, args []any) (string, []any, error) {
	values, lengths, err := flatten(args)
	if err != nil || len(lengths) == 0 && !s.numbered && !key.mustChange {
		return key.text, values, err
	}
	keep := len(lengths) <= maxLists
	for _, l := range lengths {
		key.lists, keep = key.lists<<16|uint64(l.values+1), keep && l.values < 1<<16-1
	}
	s.mu.RLock()
	known, ok := s.texts[key]
	s.mu.RUnlock()
	if ok && keep {
		return known, values, nil
	}
	text := key.text
	if key.mustChange {
		text = mustChange(text)
	}
	out := s.write(text, len(args), lengths)
	if keep {
		s.mu.Lock()
		if len(s.texts) >= maxTexts || s.texts == nil {
			s.texts = map[shape]string{}
		}
		s.texts[key] = out
		s.mu.Unlock()
	}
	return out, values, nil
}

// inserting tells INSERT statements apart.
type inserting struct {
	into, ending  string
	rows, columns int
}

// insert returns the text of an INSERT statement, before it is expanded.
func (s *statements) insert(key inserting) string {
	s.mu.RLock()
	text, ok := s.inserts[key]
	s.mu.RUnlock()
	if ok {
		return text
	}
	row := "(?" + strings.Repeat(",?", key.columns-1) + ")"
	text = "INSERT INTO " + key.into + " VALUES " + row + strings.Repeat(","+row, key.rows-1) + " " + key.ending
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inserts) >= maxTexts || s.inserts == nil {
		s.inserts = map[inserting]string{}
	}
	s.inserts[key] = text
	return text
}

// length is the number of values of a list among the arguments.
type length struct{ arg, values int }

// flatten converts values for a driver and puts those of lists in a row.
func flatten(args []any) (values []any, lengths []length, err error) {
	values = make([]any, 0, len(args)+2)
	for i, arg := range args {
		list, ok := listOf(arg)
		if !ok {
			list = args[i : i+1]
		} else {
			lengths = append(lengths, length{i, len(list)})
		}
		for _, v := range list {
			if x, ok := v.(driver.Valuer); ok {
				if v, err = x.Value(); err != nil {
					return nil, nil, err
				}
			}
			values = append(values, v)
		}
	}
	return values, lengths, nil
}

func listOf(arg any) (list []any, ok bool) {
	switch arg := arg.(type) {
	case driver.Valuer, []byte, string, int64, int, bool, nil:
		return nil, false
	case []any:
		return arg, true
	case [][]byte:
		for _, v := range arg {
			list = append(list, v)
		}
		return list, true
	}
	v := reflect.ValueOf(arg)
	if v.Kind() != reflect.Slice {
		return nil, false
	}
	for i := range v.Len() {
		list = append(list, v.Index(i).Interface())
	}
	return list, true
}

func (s *statements) write(text string, args int, lengths []length) string {
	var out strings.Builder
	n := 0
	put := func() {
		n++
		if s.numbered {
			out.WriteByte('$')
			out.WriteString(strconv.Itoa(n))
		} else {
			out.WriteByte('?')
		}
	}
	for i := range args {
		at := strings.IndexByte(text, '?')
		out.WriteString(text[:at])
		text = text[at+1:]
		if len(lengths) == 0 || lengths[0].arg != i {
			put()
			continue
		}
		out.WriteByte('(')
		if lengths[0].values == 0 {
			out.WriteString("NULL")
		}
		for j := range lengths[0].values {
			if j > 0 {
				out.WriteByte(',')
			}
			put()
		}
		out.WriteByte(')')
		lengths = lengths[1:]
	}
	out.WriteString(text)
	return out.String()
}

// assignments collects parts of an UPDATE with their arguments.
type assignments struct {
	parts []string
	args  []any
}

func (a *assignments) add(part string, args ...any) {
	a.parts = append(a.parts, part)
	a.args = append(a.args, args...)
}

func joined(a assignments, separator string) string { return strings.Join(a.parts, separator) }
