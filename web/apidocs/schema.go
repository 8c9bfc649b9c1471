package apidocs

import (
	"slices"
	"strings"

	"sallyport/config/ordered"
)

// schema is a JSON Schema with its allOf merged. Schemas within it are read when they are
// needed, because a schema may refer to itself.
type schema struct {
	name     string // of the component, if it is one
	at       string // for faults
	types    []string
	nullable bool
	closed   bool // has no members but its properties
	members  []member
	required []string
	items    any
	extra    any   // schema of members without a name; nil: none described
	variants []any // oneOf or anyOf
	meaning  string
	limits   ordered.Map // keywords that limit a value
	samples  []any       // values as examples, the best first
}

// member is a property of an object.
type member struct {
	name string
	raw  any
}

const components = "#/components/schemas/"

// schema reads a schema. A required member without a schema may have any value.
func (r *reader) schema(at string, v any) schema {
	s := r.part(at, v, 0)
	for _, name := range s.required {
		if !slices.ContainsFunc(s.members, func(m member) bool { return m.name == name }) {
			s.members = append(slices.Clip(s.members), member{name: name})
		}
	}
	return s
}

func (r *reader) part(at string, v any, depth int) schema {
	m := r.table(at, v)
	if depth > maxSteps || strings.Count(at, "[]") > maxSteps {
		r.fault(at, "consists of itself")
		return schema{at: at}
	}
	s := schema{at: at}
	if ref, ok := m.Get("$ref").(string); ok {
		s = r.part(at, r.target(at, ref), depth+1)
		s.name, _ = strings.CutPrefix(ref, components)
		s.at = at
	}
	if parts := r.list(at, m.Get("allOf")); len(parts) > 0 {
		for _, p := range parts {
			s.merge(r.part(at, p, depth+1))
		}
		if len(parts) > 1 || m.Get("properties") != nil {
			s.name = ""
		}
	}
	own := schema{at: at}
	for _, p := range m {
		r.keyword(&own, p)
	}
	s.merge(own)
	return s
}

// merge adds what another schema demands of the same value. Texts of the later one win.
func (s *schema) merge(o schema) {
	if len(o.types) > 0 {
		s.types = o.types
	}
	s.nullable = s.nullable || o.nullable
	s.closed = s.closed || o.closed
	for _, m := range o.members {
		s.members = slices.DeleteFunc(s.members, func(known member) bool { return known.name == m.name })
		s.members = append(s.members, m)
	}
	s.required = append(slices.Clip(s.required), o.required...)
	s.limits = append(slices.Clip(s.limits), o.limits...)
	s.variants = append(slices.Clip(s.variants), o.variants...)
	s.samples = append(slices.Clip(o.samples), s.samples...)
	if o.items != nil {
		s.items = o.items
	}
	if o.extra != nil {
		s.extra = o.extra
	}
	if o.meaning != "" {
		s.meaning = o.meaning
	}
	if o.name != "" {
		s.name = o.name
	}
}

// keyword reads one keyword. An unknown one is a fault: a page without it would be wrong.
func (r *reader) keyword(s *schema, p ordered.Pair) {
	switch p.Key {
	case "$ref", "allOf", "title", "externalDocs", "xml", "discriminator":
	case "type":
		s.types = r.types(s, p.Value)
	case "nullable":
		s.nullable = s.nullable || truth(p.Value)
	case "description":
		s.meaning = word(p.Value)
	case "properties":
		for _, m := range r.table(s.at, p.Value) {
			s.members = append(s.members, member{m.Key, m.Value})
		}
	case "required":
		for _, name := range r.list(s.at, p.Value) {
			s.required = append(s.required, word(name))
		}
	case "items":
		s.items = p.Value
	case "additionalProperties":
		s.closed = p.Value == false
		if !s.closed {
			s.extra = p.Value
		}
	case "oneOf", "anyOf":
		for _, v := range r.list(s.at, p.Value) {
			if m, _ := v.(ordered.Map); len(m) == 1 && m.Get("type") == "null" {
				s.nullable = true
				continue
			}
			s.variants = append(s.variants, v)
		}
	case "example":
		s.samples = append([]any{p.Value}, s.samples...)
	case "examples":
		s.samples = append(s.samples, r.list(s.at, p.Value)...)
	case "const", "enum", "default", "format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
		"exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "readOnly", "writeOnly", "deprecated":
		s.limits = append(s.limits, p)
	default:
		if !strings.HasPrefix(p.Key, "x-") {
			r.fault(s.at, "the page cannot show the keyword %s", p.Key)
		}
	}
}

// types returns the types of a value; null is not among them.
func (r *reader) types(s *schema, v any) []string {
	list, several := v.([]any)
	if !several {
		list = []any{v}
	}
	var out []string
	for _, t := range list {
		if word(t) == "null" {
			s.nullable = true
			continue
		}
		out = append(out, word(t))
	}
	return out
}

// limit returns the value of a keyword that limits the value, or nil.
func (s schema) limit(key string) any { return s.limits.Get(key) }

// demands reports whether a member is required.
func (s schema) demands(name string) bool { return slices.Contains(s.required, name) }

// object reports whether the schema has members to show.
func (s schema) object() bool { return len(s.members) > 0 || s.extra != nil }

// record reports whether the schema is shown in a section of its own, to which others link.
func (s schema) record() bool { return s.name != "" && (s.object() || len(s.variants) > 0) }
