package details

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	maxDepth   = 5 // levels of lists and objects
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
	value, err := input.Value([]byte(text), maxDepth)
	if err != nil {
		return nil, err
	}
	entries, ok := value.([]any)
	if !ok || len(entries) == 0 || len(entries) > maxDetails {
		return nil, fmt.Errorf("it is not a list of 1 to %d objects", maxDetails)
	}
	if err := check(entries); err != nil {
		return nil, err
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
	errEmpty  = errors.New("a value is empty")
	errUnseen = errors.New("a text has characters that cannot be seen")
)

// visible reports whether a text of such characters shows something.
func visible(r rune) bool { return unicode.IsGraphic(r) && !unicode.In(r, unicode.Z, unicode.M) }

// check returns what keeps a value from being shown as it is; nil: nothing.
func check(value any) error {
	switch v := value.(type) {
	case nil:
		return errors.New("a value is null")
	case string:
		switch {
		case !input.Shown(v):
			return errors.New("a text has control characters, or ones that change the direction of text")
		case input.Unseen(v):
			return errUnseen
		case !strings.ContainsFunc(v, visible):
			return errEmpty
		}
	case []any:
		for _, entry := range v {
			if err := check(entry); err != nil {
				return err
			}
		}
		if len(v) == 0 {
			return errEmpty
		}
	case map[string]any:
		return checkObject(v)
	}
	return nil
}

func checkObject(object map[string]any) error {
	if len(object) == 0 {
		return errEmpty
	}
	names := slices.Sorted(maps.Keys(object))
	for i, name := range names {
		switch {
		case slices.ContainsFunc(names[:i], func(other string) bool { return strings.EqualFold(other, name) }):
			return errors.New("a name occurs twice")
		case !input.Shown(name):
			return errors.New("a name has control characters")
		case input.Unseen(name):
			return errUnseen
		}
		if err := check(object[name]); err != nil {
			return err
		}
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
