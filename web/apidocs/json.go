package apidocs

import (
	"bytes"
	"encoding/json"
	"strings"

	"sallyport/config/ordered"
)

// compact returns a value as JSON in one line.
func compact(v any) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(pretty(v))) != nil {
		return word(v)
	}
	return b.String()
}

// pretty returns a value as indented JSON with members in the order of the description.
func pretty(v any) string {
	var b strings.Builder
	write(&b, v, "\n")
	return b.String()
}

func write(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case ordered.Map:
		enclose(b, '{', '}', len(v), indent, func(i int, inner string) {
			write(b, v[i].Key, "")
			b.WriteString(": ")
			write(b, v[i].Value, inner)
		})
	case []any:
		enclose(b, '[', ']', len(v), indent, func(i int, inner string) { write(b, v[i], inner) })
	default:
		var one bytes.Buffer
		e := json.NewEncoder(&one)
		e.SetEscapeHTML(false)
		if e.Encode(v) != nil {
			one.WriteString("null")
		}
		b.WriteString(strings.TrimSuffix(one.String(), "\n"))
	}
}

// enclose writes n entries in brackets, each on a line.
func enclose(b *strings.Builder, begin, end byte, n int, indent string, entry func(i int, indent string)) {
	b.WriteByte(begin)
	inner := indent + "  "
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(inner)
		entry(i, inner)
	}
	if n > 0 {
		b.WriteString(indent)
	}
	b.WriteByte(end)
}
