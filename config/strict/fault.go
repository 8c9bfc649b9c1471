package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one mistake in what an operator wrote.
type Fault struct {
	Source string // file name, or the name of an environment variable
	Line   int    // 0: not in a file
	Path   string // dotted key, "clients[0].redirect_uris[1]"; "" for the whole
	Text   string
}

func (f Fault) String() string {
	var b strings.Builder
	if f.Source != "" {
		b.WriteString(f.Source)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Text)
	return b.String()
}

// Faults are the faults of a document, as an error with a line for each.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// err returns the faults sorted by line and key, or nil if there are none.
func (fs Faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
	return fs
}
