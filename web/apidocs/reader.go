package apidocs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sallyport/config/ordered"
)

// reader reads a description and collects its faults, so that the rest of the package reads
// on and the caller learns all of them.
type reader struct {
	root   ordered.Map
	faults []error
}

func newReader(text []byte) (*reader, error) {
	v, err := ordered.Read(text)
	if err != nil {
		return nil, err
	}
	root, ok := v.(ordered.Map)
	if !ok {
		return nil, errors.New("not a map")
	}
	return &reader{root: root}, nil
}

func (r *reader) fault(at, format string, args ...any) {
	text := at + ": " + fmt.Sprintf(format, args...)
	if !slices.ContainsFunc(r.faults, func(known error) bool { return known.Error() == text }) {
		r.faults = append(r.faults, errors.New(text)) // a part that several places refer to is read several times
	}
}

// table returns a value that must be a map; nil counts as empty.
func (r *reader) table(at string, v any) ordered.Map {
	m, ok := v.(ordered.Map)
	if !ok && v != nil {
		r.fault(at, "must be a map")
	}
	return m
}

// list returns a value that must be a list; nil counts as empty.
func (r *reader) list(at string, v any) []any {
	l, ok := v.([]any)
	if !ok && v != nil {
		r.fault(at, "must be a list")
	}
	return l
}

// maxSteps bounds references to references, and parts of parts of a schema.
const maxSteps = 16

// follow returns a map, or what its $ref refers to, and the last reference.
func (r *reader) follow(at string, v any) (ordered.Map, string) {
	m, ref := r.table(at, v), ""
	for range maxSteps {
		next, ok := m.Get("$ref").(string)
		if !ok {
			return m, ref
		}
		ref = next
		m = r.table(at, r.target(at, ref))
	}
	r.fault(at, "%s refers to itself", ref)
	return nil, ref
}

// target returns what a reference within the description names (RFC 6901).
func (r *reader) target(at, ref string) any {
	path, ok := strings.CutPrefix(ref, "#/")
	var v any = r.root
	for part := range strings.SplitSeq(path, "/") {
		m, _ := v.(ordered.Map)
		v = m.Get(strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
	}
	if !ok || v == nil {
		r.fault(at, "there is no %s", ref)
		return nil
	}
	return v
}

// word returns a scalar as text; nil is "".
func word(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// truth reports whether a value is true.
func truth(v any) bool {
	b, _ := v.(bool)
	return b
}
