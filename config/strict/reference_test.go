package strict

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

func TestDescribeNeedsComments(t *testing.T) {
	type Inner struct {
		A int `yaml:"a"`
	}
	type Outer struct {
		Inner Inner `yaml:"inner"`
	}
	for name, source := range map[string]string{
		"Inner.A has no comment":        "package x\n// Outer is.\ntype Outer struct { Inner Inner }\n// Inner is.\ntype Inner struct { A int }\n",
		"type Inner has no comment":     "package x\n// Outer is.\ntype Outer struct { Inner Inner }\ntype Inner struct {\n// A.\nA int\n}\n",
		"Go source: x.go:1:1: expected": "nonsense",
	} {
		if _, err := Describe(reflect.ValueOf(Outer{}), "", fstest.MapFS{"x.go": {Data: []byte(source)}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q in it", err, name)
		}
	}
}

func TestPlain(t *testing.T) {
	got := Plain([]Section{{Path: "database", Entries: []Entry{{Key: "max_connections", Variable: "SALLYPORT_X", Type: "number", Default: "16", Bounds: "2 to 256",
		Text: "Connections to the `database`; " + strings.Repeat("more words ", 6)}}}})
	want := `database.max_connections  (number; default 16; 2 to 256)
    SALLYPORT_X
    Connections to the database; more words more words more words more words
    more words more words

`
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
