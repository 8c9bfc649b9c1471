package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of an object (H-9).
const (
	maxDepth   = 16
	maxMembers = 100
)

// Faults of JSON, worded to follow the name of what was read.
var (
	errJSON    = errors.New("it is not JSON")
	errFollows = errors.New("something follows it")
	errTwice   = errors.New("a name occurs twice")
	errDeep    = errors.New("it is nested too deeply")
	errObject  = errors.New("it is not a JSON object")
	errMembers = fmt.Errorf("it has more than %d members", maxMembers)
)

// Object parses one JSON object as Value does: at most 100 members, at most 16 levels (H-9).
func Object(text []byte) (map[string]any, error) {
	value, err := Value(text, maxDepth)
	if err != nil {
		return nil, err
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, errObject
	}
	if len(members) > maxMembers {
		return nil, errMembers
	}
	return members, nil
}

// Members returns the members of an object that Object accepts as they are written.
func Members(text []byte) (map[string]json.RawMessage, error) {
	if _, err := Object(text); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, errJSON
	}
	return members, nil
}

// Value parses one JSON value of at most some levels of objects and lists, with nothing after it. All
// parsers must read the same from a text, so repeated names are refused at every level (RFC 8259
// section 4), as are NUL and invalid UTF-8 (H-9). Names are case-sensitive; numbers stay as written.
func Value(text []byte, levels int) (any, error) {
	if !utf8.Valid(text) {
		return nil, errJSON
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var whole json.RawMessage // Token alone accepts more than JSON
	if err := d.Decode(&whole); err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) { // More says no before a closing bracket
		return nil, errFollows
	}
	d = json.NewDecoder(bytes.NewReader(whole))
	d.UseNumber()
	return element(d, levels)
}

// element parses one value of at most some levels.
func element(d *json.Decoder, levels int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errJSON
	}
	switch t := token.(type) {
	case string:
		if strings.IndexByte(t, 0) >= 0 {
			return nil, errJSON
		}
		return t, nil
	case json.Delim:
		if levels == 0 {
			return nil, errDeep
		}
		if t == '{' {
			return object(d, levels-1)
		}
		return list(d, levels-1)
	}
	return token, nil
}

func object(d *json.Decoder, levels int) (any, error) {
	out := map[string]any{}
	for d.More() {
		name, err := element(d, levels)
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		if _, twice := out[key]; twice {
			return nil, errTwice
		}
		if out[key], err = element(d, levels); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return out, err
}

func list(d *json.Decoder, levels int) (any, error) {
	out := []any{}
	for d.More() {
		value, err := element(d, levels)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	_, err := d.Token()
	return out, err
}
