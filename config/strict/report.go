package strict

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"sallyport/input"
)

// New returns a Reader for values that were not decoded, which have no lines.
func New() *Reader {
	return &Reader{lines: map[string]int{}, faulty: map[string]bool{}, within: map[string]string{}}
}

// SetBy records that a variable has set a key, overriding the file.
func (r *Reader) SetBy(path, variable string) {
	if r.variables == nil {
		r.variables = map[string]string{}
	}
	r.variables[path] = variable
}

// Add adds a fault unchanged.
func (r *Reader) Add(f Fault) { r.faults = append(r.faults, f) }

// Err returns all faults as Faults, or nil.
func (r *Reader) Err() error { return r.faults.err() }

// Fault adds a fault at the variable or the line of a path, or of the nearest path that
// contains it.
func (r *Reader) Fault(path, format string, args ...any) {
	if r.unread[path] {
		return
	}
	r.faulty[path] = true
	f := Fault{Source: r.source, Path: r.shown(path), Text: fmt.Sprintf(format, args...)}
	for p := path; p != ""; p = around(p) {
		if name, ok := r.variables[p]; ok {
			f.Source = name
			break
		}
		if line, ok := r.lines[p]; ok {
			f.Line = line
			break
		}
	}
	r.faults = append(r.faults, f)
}

// Report adds a fault found by a caller, unless its path or an item of its list has one already.
func (r *Reader) Report(path, text string) {
	for faulty := range r.faulty {
		if faulty == path || strings.HasPrefix(faulty, path+"[") {
			return
		}
	}
	r.Fault(path, "%s", text)
}

// BeginChecks is called before the values are checked: keys that could not be read get no
// second fault.
func (r *Reader) BeginChecks() {
	r.unread = maps.Clone(r.faulty)
	delete(r.unread, "") // the whole
}

// around returns the path that contains another: that of "a.b[0]" is "a.b", that of "a.b" is "a".
func around(path string) string {
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}

// shown returns the part of a path that has no key which the operator chose.
func (r *Reader) shown(path string) string {
	for p := path; p != ""; p = around(p) {
		if set, ok := r.within[p]; ok {
			return r.shown(set)
		}
	}
	return path
}

// encoding adds the fault of a file that is not text.
func (r *Reader) encoding(err error) {
	r.Broken = true
	f := Fault{Source: r.source, Text: err.Error()}
	var t *input.TextError
	if errors.As(err, &t) {
		f.Line, f.Text = t.Line, t.Reason
	}
	r.faults = append(r.faults, f)
}

// quoted is what messages of the parser quote from the text.
var quoted = regexp.MustCompile(` ?"(\\.|[^"\\])*"| character '.*'$`)

// syntax adds an error of the parser as a fault, without the parser's excerpt of the text:
// a desired state holds passwords.
func (r *Reader) syntax(err error) {
	r.Broken = true
	f := Fault{Source: r.source, Text: "not valid YAML"}
	var y yaml.Error
	if errors.As(err, &y) {
		f.Text += ": " + quoted.ReplaceAllString(y.GetMessage(), "")
		if t := y.GetToken(); t != nil && t.Position != nil {
			f.Line = t.Position.Line
		}
	}
	r.faults = append(r.faults, f)
}
