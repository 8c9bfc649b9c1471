package apidocs

import (
	"slices"
	"strconv"
	"strings"

	"sallyport/config/ordered"
)

// sampler composes examples.
type sampler struct {
	*reader
	short bool     // requests: without members that are neither required nor have an example
	open  []string // records around the current value
	turn  int      // of an entry that must differ from those before
}

// value returns an example of a schema; false: there is none, because it holds itself.
func (p *sampler) value(s schema) (any, bool) {
	if len(s.samples) > 0 {
		return s.samples[0], true
	}
	for _, key := range []string{"const", "default"} {
		if v := s.limit(key); v != nil {
			return v, true
		}
	}
	if list, _ := s.limit("enum").([]any); len(list) > 0 {
		return list[p.turn%len(list)], true
	}
	if s.record() {
		if slices.Contains(p.open, s.name) {
			return nil, false
		}
		p.open = append(p.open, s.name)
		defer func() { p.open = p.open[:len(p.open)-1] }()
	}
	switch {
	case len(s.members) > 0:
		return p.object(s), true
	case len(s.variants) > 0:
		return p.value(p.schema(s.at, s.variants[0]))
	case s.items != nil:
		return p.entries(s), true
	case len(s.types) == 0 && s.nullable:
		return nil, true
	case s.extra != nil || len(s.types) > 0 && s.types[0] == "object":
		return p.object(s), true
	}
	return p.scalar(s), true
}

func (p *sampler) object(s schema) ordered.Map {
	out := ordered.Map{}
	for _, m := range s.members {
		inner := p.schema(s.at+"."+m.name, m.raw)
		if p.short && len(s.required) > 0 && !s.demands(m.name) && len(inner.samples) == 0 {
			continue
		}
		if v, ok := p.value(inner); ok {
			out = append(out, ordered.Pair{Key: m.name, Value: v})
		}
	}
	if s.extra != nil && s.extra != true && len(out) == 0 {
		if v, ok := p.value(p.schema(s.at+".*", s.extra)); ok {
			out = append(out, ordered.Pair{Key: "name", Value: v})
		}
	}
	return out
}

func (p *sampler) entries(s schema) []any {
	out := []any{}
	if word(s.limit("maxItems")) == "0" {
		return out
	}
	if truth(s.limit("uniqueItems")) {
		defer func() { p.turn = 0 }()
	}
	for i := range max(1, whole(s.limit("minItems"))) {
		if truth(s.limit("uniqueItems")) {
			p.turn = i
		}
		if v, ok := p.value(p.schema(s.at+"[]", s.items)); ok {
			out = append(out, v)
		}
	}
	return out
}

// scalar returns an example of a value without parts.
func (p *sampler) scalar(s schema) any {
	switch strings.Join(s.types, " ") {
	case "boolean":
		return true
	case "integer", "number":
		if v := s.limit("minimum"); v != nil {
			return v
		}
		if v := s.limit("maximum"); v != nil {
			return v
		}
		return 1 + p.turn
	}
	if pattern, ok := s.limit("pattern").(string); ok {
		if v, ok := matching(pattern, p.turn); ok {
			return v
		}
	}
	formats := map[string]string{
		"date-time": "2027-01-31T18:00:00Z", "date": "2027-01-31", "email": "vera@example.com", "password": "a lighthouse at dusk",
		"uuid": "3ac1e5b4-20f8-43ac-91e5-b4d20f863ac1", "uri": "https://app.example/", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "byte": "c2FsbHk=",
	}
	text := formats[word(s.limit("format"))]
	if text == "" {
		text = "text"
	}
	if p.turn > 0 {
		text += strconv.Itoa(p.turn)
	}
	if least := whole(s.limit("minLength")); len(text) < least {
		text = strings.Repeat(text, least/len(text)+1)[:least]
	}
	if most := whole(s.limit("maxLength")); most > 0 && len(text) > most {
		text = text[:most]
	}
	return text
}

// whole returns a number of a description as an int, or 0.
func whole(v any) int {
	switch n := v.(type) {
	case uint64:
		return int(n)
	case int64:
		return int(n)
	}
	return 0
}
