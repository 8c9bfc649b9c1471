package mfa_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sallyport/mfa"
)

func TestEveryCodeIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	native, dialects, _ := strings.Cut(string(text), "## The wire dialects")
	for _, c := range mfa.Codes() {
		if !strings.Contains(native, "\n| `"+string(c)+"` |") {
			t.Errorf("docs/errors.md has no row for %s", c)
		}
		if !strings.Contains(dialects, "`"+string(c)+"`") {
			t.Errorf("docs/errors.md lacks the form of %s in the dialects", c)
		}
	}
}

func TestEveryEventIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		v, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Event") {
			return true
		}
		n++
		kind, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if !slices.Contains(mfa.EventKinds(), kind) {
			t.Errorf("EventKinds does not list %s, so that metrics omit it", v.Names[0].Name)
		}
		if err != nil || !strings.Contains(string(text), "`"+kind+"`") {
			t.Errorf("docs/events.md does not list %s %q", v.Names[0].Name, kind)
		}
		return true
	})
	if n != len(mfa.EventKinds()) {
		t.Errorf("EventKinds lists %d kinds, there are %d", len(mfa.EventKinds()), n)
	}
	if n < 40 {
		t.Errorf("found %d kinds in events.go, want all of them", n)
	}
}
