package token

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"sallyport/storage"
)

// marshal returns what json.Marshal returns for claims. That takes two objects for each claim; most
// are texts and numbers that are written as they are.
func marshal(claims map[string]any) ([]byte, error) {
	names := slices.AppendSeq(make([]string, 0, len(claims)), maps.Keys(claims))
	slices.Sort(names)
	out := append(make([]byte, 0, 512), '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendText(out, name); err != nil {
			return nil, err
		}
		if out, err = appendValue(append(out, ':'), claims[name]); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func appendValue(out []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return appendText(out, v)
	case storage.UserID:
		return appendText(out, string(v))
	case storage.ClientID:
		return appendText(out, string(v))
	case int64:
		return strconv.AppendInt(out, v, 10), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	}
	return appendJSON(out, value)
}

// appendText appends a text, with the escapes of encoding/json where there are any.
func appendText(out []byte, text string) ([]byte, error) {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return appendJSON(out, text)
		}
	}
	return append(append(append(out, '"'), text...), '"'), nil
}

func appendJSON(out []byte, value any) ([]byte, error) {
	text, err := json.Marshal(value)
	return append(out, text...), err
}
