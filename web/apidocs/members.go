package apidocs

import (
	"html/template"
	"slices"
	"strings"
)

// Row is a member of an object, a parameter or a header.
type Row struct {
	Name     string // with a path: client.name, emails[].id
	In       string // of a parameter: path, query, header, cookie
	Type     []Word
	Required bool
	Limits   []Limit
	Meaning  template.HTML
}

func (r *reader) row(name string, s schema, required bool) Row {
	return Row{Name: name, Type: r.kind(s), Required: required, Limits: r.limits(s), Meaning: markdown(s.meaning)}
}

// rows returns the members of a value, with those of objects within it. Records within it
// are links.
func (r *reader) rows(s schema, path string) []Row {
	var out []Row
	if path != "" {
		path += "."
	}
	for _, m := range s.members {
		inner := r.schema(s.at+"."+m.name, m.raw)
		out = append(out, r.row(path+m.name, inner, s.demands(m.name)))
		out = append(out, r.inside(inner, path+m.name)...)
	}
	if s.extra != nil {
		inner := schema{at: s.at}
		if s.extra != true {
			inner = r.schema(s.at+".*", s.extra)
		}
		one := r.row(path+"*", inner, false)
		if one.Meaning == "" {
			one.Meaning = markdown("Every other member.")
		}
		out = append(append(out, one), r.inside(inner, path+"*")...)
	}
	for _, v := range s.variants {
		variant := r.schema(s.at, v)
		if !variant.record() {
			out = append(out, r.inside(variant, strings.TrimSuffix(path, "."))...)
		}
	}
	return slices.CompactFunc(out, func(a, b Row) bool { return a.Name == b.Name && a.Meaning == b.Meaning && slices.Equal(a.Type, b.Type) })
}

// inside returns the members of a value that is not a link.
func (r *reader) inside(s schema, path string) []Row {
	switch {
	case s.record():
		return nil
	case s.items != nil:
		return r.inside(r.schema(s.at+"[]", s.items), path+"[]")
	}
	return r.rows(s, path)
}
