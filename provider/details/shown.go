package details

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// Shown is a detail as users see it.
type Shown struct {
	Title string
	Lines []Line
}

// Line is a member of a detail.
type Line struct{ Title, Value string }

// Show returns the details of a list in a language, or else in English.
func (t *Types) Show(l List, lang string) []Shown {
	var out []Shown
	for _, d := range l {
		typ := t.named(d.Type())
		if typ == nil {
			continue // such a request was refused
		}
		s := Shown{Title: in(typ.Title, lang)}
		for _, m := range typ.Members {
			if v, ok := d[m.Name]; ok {
				s.Lines = append(s.Lines, Line{in(m.Title, lang), text(v)})
			}
		}
		out = append(out, s)
	}
	return out
}

func in(title map[string]string, lang string) string { return cmp.Or(title[lang], title["en"]) }

// text writes a value for people: lists with commas, objects as their members.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "✓"
		}
		return "✗"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, text(e))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var parts []string
		for name, e := range v {
			parts = append(parts, name+": "+text(e))
		}
		slices.Sort(parts)
		return strings.Join(parts, ", ")
	}
	return ""
}
