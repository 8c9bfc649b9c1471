package strict

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strings"
	"time"
)

// Entry describes one key.
type Entry struct {
	Key      string // within its section
	Variable string // "" where there is none
	Type     string
	Default  string // "" where there is none
	Bounds   string // "" where there are none
	Text     string
}

// Section describes a set of keys.
type Section struct {
	Path    string // "" for the top of the file; "clients[]" for the items of a list
	Text    string
	Entries []Entry
}

// Describe returns the reference of a struct whose comments are in these Go files. prefix
// begins the names of its variables. A field or type without a comment is an error, so that
// no release has a key without a description.
func Describe(v reflect.Value, prefix string, sources fs.FS) ([]Section, error) {
	texts, err := comments(sources)
	if err != nil {
		return nil, err
	}
	var out []Section
	var section func(v reflect.Value, path, prefix string) error
	section = func(v reflect.Value, path, prefix string) error {
		name := v.Type().Name()
		s := Section{Path: path, Text: texts[name]}
		if s.Text == "" {
			return fmt.Errorf("reference: type %s has no comment", name)
		}
		at := len(out)
		out = append(out, s)
		for i := range v.NumField() {
			field := v.Type().Field(i)
			key, kind := field.Tag.Get("yaml"), KindOf(field.Type)
			switch kind {
			case kindKeys:
				if err := section(v.Field(i), Join(path, key), prefix+field.Tag.Get("envPrefix")); err != nil {
					return err
				}
				continue
			case kindItems:
				if err := section(reflect.Zero(field.Type.Elem()), Join(path, key)+"[]", ""); err != nil {
					return err
				}
			}
			e := Entry{Key: key, Type: string(kind), Text: texts[name+"."+field.Name]}
			if e.Text == "" {
				return fmt.Errorf("reference: %s.%s has no comment", name, field.Name)
			}
			if variable := field.Tag.Get("env"); variable != "" {
				e.Variable, e.Default = prefix+variable, shown(v.Field(i))
			}
			if field.Tag.Get("min") != "" {
				e.Bounds = field.Tag.Get("min") + " to " + field.Tag.Get("max")
			}
			out[at].Entries = append(out[at].Entries, e)
		}
		return nil
	}
	return out, section(v, "", prefix)
}

// comments returns the comments of the structs in Go files, by type, and by type and field.
func comments(sources fs.FS) (map[string]string, error) {
	names, err := fs.Glob(sources, "*.go")
	if err != nil {
		return nil, fmt.Errorf("reference: Go source: %w", err)
	}
	out := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(sources, name)
		if err != nil {
			return nil, fmt.Errorf("reference: Go source: %w", err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("reference: Go source: %w", err)
		}
		for _, d := range file.Decls {
			if decl, ok := d.(*ast.GenDecl); ok {
				readTypes(decl, out)
			}
		}
	}
	return out, nil
}

// readTypes adds the comments of the structs in a declaration.
func readTypes(decl *ast.GenDecl, out map[string]string) {
	for _, spec := range decl.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		out[t.Name.Name] = oneLine(decl.Doc)
		if s, ok := t.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					out[t.Name.Name+"."+name.Name] = oneLine(f.Doc)
				}
			}
		}
	}
}

func oneLine(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// Kind is the type of a value, as an operator is shown it.
type Kind string

const (
	kindText     Kind = "text"
	kindNumber   Kind = "number"
	kindTruth    Kind = "true or false"
	kindDuration Kind = "duration"
	kindList     Kind = "list"
	kindTable    Kind = "table"
	kindKeys     Kind = "set of keys"
	kindItems    Kind = "list of sets"
	kindTime     Kind = "time"
)

// Wants are the texts of what a variable of each kind must hold.
var Wants = map[Kind]string{
	kindText:     "text",
	kindNumber:   "a whole number that fits",
	kindTruth:    "true or false",
	kindDuration: `a duration such as "90s", "10m" or "720h"`,
	kindList:     "a list, separated by commas",
	kindTable:    "name=value pairs, separated by commas",
}

// KindOf returns the kind of a type.
func KindOf(t reflect.Type) Kind {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[time.Duration]() {
		return kindDuration
	}
	if t == reflect.TypeFor[time.Time]() {
		return kindTime
	}
	switch t.Kind() {
	case reflect.Bool:
		return kindTruth
	case reflect.String:
		return kindText
	case reflect.Struct:
		return kindKeys
	case reflect.Map:
		return kindTable
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return kindItems
		}
		return kindList
	}
	return kindNumber
}

// shown returns a default in the form it has in the file.
func shown(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		s := x.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	case []string:
		return strings.Join(x, ", ")
	case map[string]string:
		return ""
	}
	return fmt.Sprint(v.Interface())
}
