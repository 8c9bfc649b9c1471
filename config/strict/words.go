package strict

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// OneOf adds a fault unless got is one of want; "" in want: the key may be left out.
func (r *Reader) OneOf(path, got string, want []string) {
	if !slices.Contains(want, got) {
		shown := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return s == "" })
		r.Fault(path, "must be one of %s", strings.Join(shown, ", "))
	}
}

// Within adds a fault unless a duration is within bounds or left out.
func (r *Reader) Within(path string, d, lowest, highest time.Duration) {
	if d != 0 && (d < lowest || d > highest) {
		r.Fault(path, "must be from %s to %s", lowest, highest)
	}
}

// SortedKeys returns the keys of a map in ascending order.
func SortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
