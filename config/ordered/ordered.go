// Package ordered reads the YAML that ships with the program: all of YAML, anchors
// included, with the keys of a map in the order in which they are written.
//
// Package strict reads what operators write.
package ordered

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// Pair is a key with its value.
type Pair struct {
	Key   string
	Value any
}

// Map is a map in the order of its text.
type Map []Pair

// Get returns the value of a key, or nil.
func (m Map) Get(key string) any {
	for _, p := range m {
		if p.Key == key {
			return p.Value
		}
	}
	return nil
}

// Read returns a document whose maps are Map, whose lists are []any, and whose other values
// are string, bool, int64, uint64, float64 or nil.
func Read(text []byte) (any, error) {
	var v any
	if err := yaml.UnmarshalWithOptions(text, &v, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	return own(v), nil
}

// own replaces the types of the library.
func own(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		m := make(Map, len(v))
		for i, item := range v {
			m[i] = Pair{Key: fmt.Sprint(item.Key), Value: own(item.Value)}
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = own(v[i])
		}
		return list
	}
	return v
}
