package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// Limits of an object (H-9).
const (
	maxDepth   = 16
	maxMembers = 100
)

var errObject = errors.New("not an acceptable JSON object")

// Object parses one JSON object with nothing after it. All parsers must read the same
// from a text, so repeated names are refused at every level (RFC 8259 section 4), as are
// NUL and invalid UTF-8 (H-9). Names are case-sensitive; numbers stay as written.
func Object(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errObject
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := element(d, 0)
	if err != nil {
		return nil, err
	}
	members, ok := value.(map[string]any)
	if !ok || len(members) > maxMembers {
		return nil, errObject
	}
	return members, nil
}

// element parses one value.
func element(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, errObject
	}
	switch t := token.(type) {
	case string:
		if strings.IndexByte(t, 0) >= 0 {
			return nil, errObject
		}
		return t, nil
	case json.Delim:
		if depth++; depth > maxDepth {
			return nil, errObject
		}
		if t == '{' {
			return object(d, depth)
		}
		return list(d, depth)
	}
	return token, nil
}

func object(d *json.Decoder, depth int) (any, error) {
	out := map[string]any{}
	for d.More() {
		name, err := element(d, depth)
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		if _, twice := out[key]; twice {
			return nil, errObject
		}
		if out[key], err = element(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return out, err
}

func list(d *json.Decoder, depth int) (any, error) {
	out := []any{}
	for d.More() {
		value, err := element(d, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	_, err := d.Token()
	return out, err
}
