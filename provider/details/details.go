package details

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"sallyport/input"
)

// Limits of a parameter. It is in every token, and in addresses of pages.
const (
	maxBytes   = 2048
	maxDetails = 10
	maxDepth   = 6
)

// Detail is one entry: an object with the member type. Numbers are json.Number.
type Detail map[string]any

// List is a parameter authorization_details that was read.
type List []Detail

// Type returns the type of a detail.
func (d Detail) Type() string {
	name, _ := d["type"].(string)
	return name
}

// Parse reads the parameter of a client that may use these types. The error says what is wrong with it
// (RFC 9396 section 5). Without a parameter the list is nil.
func (t *Types) Parse(text string, allowed []string) (List, error) {
	if text == "" {
		return nil, nil
	}
	list, err := parse(text)
	if err != nil {
		return nil, err
	}
	for i, d := range list {
		if err := t.fault(d, allowed); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
	}
	return list, nil
}

// parse reads a list without regard to types. Texts that could look like something else on a page are
// refused, and so are names that occur twice, also in another case: which one counts would depend on the
// reader.
func parse(text string) (List, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("it is longer than %d bytes", maxBytes)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	value, err := next(d, maxDepth)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) { // More says no before a closing bracket
		return nil, errors.New("something follows it")
	}
	entries, ok := value.([]any)
	if !ok || len(entries) == 0 || len(entries) > maxDetails {
		return nil, fmt.Errorf("it is not a list of 1 to %d objects", maxDetails)
	}
	var list List
	for _, entry := range entries {
		object, ok := entry.(map[string]any)
		if !ok {
			return nil, errors.New("an entry is not an object")
		}
		list = append(list, object)
	}
	return list, nil
}

var (
	errJSON   = errors.New("it is not JSON")
	errEmpty  = errors.New("a value is empty")
	errUnseen = errors.New("a text has characters that cannot be seen")
)

// unseen reports whether a character is a letter or sign that looks like nothing: the fillers of Hangul and
// the blank of Braille.
func unseen(r rune) bool { return strings.ContainsRune("\u115f\u1160\u3164\uffa0\u2800", r) }

// visible reports whether a text of such characters shows something.
func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.In(r, unicode.Z, unicode.M) }

// next reads a value of at most some depth.
func next(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errJSON
	}
	if depth == 0 {
		return nil, errors.New("it is nested too deeply")
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '[' {
			return list(d, depth)
		}
		return object(d, depth)
	case string:
		if !input.Shown(v) {
			return nil, errors.New("a text has control characters, or ones that change the direction of text")
		}
		if strings.ContainsFunc(v, unseen) {
			return nil, errUnseen
		}
		if !strings.ContainsFunc(v, visible) {
			return nil, errEmpty
		}
	case nil:
		return nil, errors.New("a value is null")
	}
	return token, nil
}

func list(d *json.Decoder, depth int) (any, error) {
	out := []any{}
	for d.More() {
		v, err := next(d, depth-1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if err := end(d); err != nil || len(out) > 0 || depth == maxDepth {
		return out, err
	}
	return nil, errEmpty
}

func object(d *json.Decoder, depth int) (any, error) {
	out := map[string]any{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errJSON
		}
		for other := range out {
			if strings.EqualFold(other, name) {
				return nil, errors.New("a name occurs twice")
			}
		}
		if !input.Shown(name) {
			return nil, errors.New("a name has control characters")
		}
		if strings.ContainsFunc(name, unseen) {
			return nil, errUnseen
		}
		if out[name], err = next(d, depth-1); err != nil {
			return nil, err
		}
	}
	if err := end(d); err != nil || len(out) > 0 {
		return out, err
	}
	return nil, errEmpty
}

func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errJSON
	}
	return nil
}

// fault returns what is wrong with a detail of a client that may use these types; nil: nothing.
func (t *Types) fault(d Detail, allowed []string) error {
	name := d.Type()
	if name == "" {
		return errors.New("type is missing")
	}
	typ := t.named(name)
	if typ == nil {
		return errors.New("the type is unknown")
	}
	if !slices.Contains(allowed, name) {
		return errors.New("the client may not use the type")
	}
	known := 1
	for _, m := range typ.Members {
		v, ok := d[m.Name]
		switch {
		case !ok && m.Required:
			return fmt.Errorf("%s is missing", m.Name)
		case ok && !m.takes(v):
			return fmt.Errorf("%s has a value that is not allowed", m.Name)
		case ok:
			known++
		}
	}
	if len(d) != known {
		return errors.New("a member is unknown")
	}
	return nil
}

// takes reports whether a value is allowed.
func (m Member) takes(v any) bool {
	if len(m.Values) == 0 {
		return true
	}
	if entries, ok := v.([]any); ok {
		return len(entries) > 0 && !slices.ContainsFunc(entries, func(e any) bool { return !m.takesOne(e) })
	}
	return m.takesOne(v)
}

func (m Member) takesOne(v any) bool {
	text, ok := v.(string)
	return ok && slices.Contains(m.Values, text)
}

// Stored reads a list as JSON writes it, from a grant or a token. It is nil if there is none.
func Stored(raw json.RawMessage) List {
	list, err := parse(string(raw))
	if err != nil {
		return nil
	}
	return list
}

// JSON returns the list as it is stored and sent, with members in the order of their names; nil: it is
// empty.
func (l List) JSON() (json.RawMessage, error) {
	if len(l) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); err != nil {
		return nil, fmt.Errorf("write authorization details: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// Covers reports whether a list has every entry of another (RFC 9396 section 6).
func (l List) Covers(wanted List) bool {
	return !slices.ContainsFunc(wanted, func(d Detail) bool {
		return !slices.ContainsFunc(l, func(have Detail) bool { return reflect.DeepEqual(have, d) })
	})
}
