package apidocs

import (
	"strings"

	"sallyport/config/ordered"
)

// Word is a part of the name of a type; with an anchor it links to a record.
type Word struct{ Text, Anchor string }

// anchorOf returns the anchor of a record.
func anchorOf(name string) string { return "record-" + name }

// kind returns the name of a schema's type.
func (r *reader) kind(s schema) []Word {
	var out []Word
	switch {
	case s.record():
		out = []Word{{s.name, anchorOf(s.name)}}
	case len(s.variants) > 0:
		for i, v := range s.variants {
			if i > 0 {
				out = append(out, Word{Text: " or "})
			}
			out = append(out, r.kind(r.schema(s.at, v))...)
		}
	case s.items != nil:
		out = append([]Word{{Text: "list of "}}, r.kind(r.schema(s.at+"[]", s.items))...)
	case len(s.types) > 0:
		out = []Word{{Text: strings.Join(s.types, " or ")}}
	case s.object():
		out = []Word{{Text: "object"}}
	default:
		out = []Word{{Text: "any value"}}
	}
	if s.nullable {
		out = append(out, Word{Text: " or null"})
	}
	return out
}

// Limit is one bound of a value. Codes are values as they are sent.
type Limit struct {
	Text  string
	Codes []string
}

// limits returns the bounds of a value.
func (r *reader) limits(s schema) []Limit {
	var out []Limit
	for _, p := range s.limits {
		out = append(out, limit(p)...)
	}
	if s.closed {
		out = append(out, Limit{Text: "no other members"})
	}
	if s.items != nil {
		if each := r.schema(s.at+"[]", s.items); !each.record() {
			for _, l := range r.limits(each) {
				l.Text = "each: " + l.Text
				out = append(out, l)
			}
		}
	}
	for _, v := range s.variants {
		if one := r.schema(s.at, v); !one.record() {
			for _, l := range r.limits(one) {
				l.Text = r.kind(one)[0].Text + ": " + l.Text
				out = append(out, l)
			}
		}
	}
	return out
}

func limit(p ordered.Pair) []Limit {
	value := word(p.Value)
	switch p.Key {
	case "format":
		return []Limit{{Text: "format " + value}}
	case "const":
		return []Limit{{"always", []string{compact(p.Value)}}}
	case "default":
		return []Limit{{"default", []string{compact(p.Value)}}}
	case "pattern":
		return []Limit{{"matches", []string{value}}}
	case "enum":
		list, _ := p.Value.([]any)
		l := Limit{Text: "one of"}
		if len(list) == 1 {
			l.Text = "always"
		}
		for _, v := range list {
			l.Codes = append(l.Codes, word(v))
		}
		return []Limit{l}
	case "uniqueItems", "readOnly", "writeOnly", "deprecated":
		if !truth(p.Value) {
			return nil
		}
		return []Limit{{Text: map[string]string{"uniqueItems": "no two entries are equal", "readOnly": "in responses only", "writeOnly": "in requests only", "deprecated": "deprecated"}[p.Key]}}
	case "exclusiveMinimum", "exclusiveMaximum":
		if flag, old := p.Value.(bool); old { // OpenAPI 3.0: applies to minimum or maximum
			if !flag {
				return nil
			}
			return []Limit{{Text: "the " + map[string]string{"exclusiveMinimum": "least", "exclusiveMaximum": "greatest"}[p.Key] + " value itself is not allowed"}}
		}
	}
	return []Limit{{Text: bound(p.Key, value)}}
}

// bound returns the text of a bound by a number.
func bound(key, value string) string {
	switch key {
	case "minLength":
		return "at least " + value + " characters"
	case "maxLength":
		return "at most " + value + " characters"
	case "minItems":
		return "at least " + value + " entries"
	case "maxItems":
		return "at most " + value + " entries"
	case "minProperties":
		return "at least " + value + " members"
	case "maxProperties":
		return "at most " + value + " members"
	case "minimum":
		return "at least " + value
	case "maximum":
		return "at most " + value
	case "exclusiveMinimum":
		return "more than " + value
	case "exclusiveMaximum":
		return "less than " + value
	}
	return "a multiple of " + value
}
