package details

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Shown is a detail as users see it.
type Shown struct {
	Title string
	Lines []Line
}

// Line is a member of a detail, or of one that is inside it.
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
				s.Lines = append(s.Lines, m.lines(in(m.Title, lang), v)...)
			}
		}
		out = append(out, s)
	}
	return out
}

func in(title map[string]string, lang string) string { return cmp.Or(title[lang], title["en"]) }

// lines writes a value for people. What is inside it has lines of its own, so that no text passes for
// another member; only lists of texts that the operator wrote are on one line.
func (m Member) lines(title string, v any) []Line {
	var out []Line
	switch v := v.(type) {
	case string:
		return []Line{{title, v}}
	case json.Number:
		return []Line{{title, v.String()}}
	case bool:
		if v {
			return []Line{{title, "✓"}}
		}
		return []Line{{title, "✗"}}
	case []any:
		for i, e := range v {
			out = append(out, m.lines(fmt.Sprintf("%s: %d", title, i+1), e)...)
		}
		if len(m.Values) > 0 {
			return []Line{{title, joined(out)}}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = append(out, m.lines(title+": "+name, v[name])...)
		}
	}
	return out
}

func joined(lines []Line) string {
	var values []string
	for _, l := range lines {
		values = append(values, l.Value)
	}
	return strings.Join(values, ", ")
}
