package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Limits for readable code.
const (
	maxFileLines     = 400
	maxFunctionLines = 80
)

func TestSizesAndHabits(t *testing.T) {
	faults, err := habits("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

// habits returns what is too long, undocumented, or should be a parameter.
func habits(root string) ([]string, error) {
	files, err := tree(root, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out []string
	documented := map[string]bool{}
	for _, f := range files {
		if n := f.set.File(f.ast.FileStart).LineCount(); n > maxFileLines {
			out = append(out, fmt.Sprintf("%s has %d lines, %d at most", f.path, n, maxFileLines))
		}
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		documented[f.dir] = documented[f.dir] || f.ast.Doc != nil
		out = append(out, f.habits()...)
	}
	for dir, ok := range documented {
		if !ok {
			out = append(out, fmt.Sprintf("%s has no package comment", dir))
		}
	}
	return out, nil
}

func (f goFile) habits() []string {
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.FuncDecl:
			lines := f.set.Position(x.End()).Line - f.set.Position(x.Pos()).Line + 1
			if lines > maxFunctionLines && !f.test {
				out = append(out, fmt.Sprintf("%s: %s has %d lines, %d at most", f.path, x.Name.Name, lines, maxFunctionLines))
			}
			if x.Name.Name == "init" && x.Recv == nil {
				out = append(out, fmt.Sprintf("%s has an init function", f.path))
			}
		case *ast.SelectorExpr:
			pkg, ok := x.X.(*ast.Ident)
			clock := ok && pkg.Name == "time" && x.Sel.Name == "Now"
			if clock && f.dir != mainPackage && !f.test {
				out = append(out, fmt.Sprintf("%s uses time.Now: the clock is a constructor argument", f.path))
			}
		}
		return true
	})
	return out
}

func TestSizesAndHabitsCatchesEveryKindOfFault(t *testing.T) {
	root := t.TempDir()
	long := strings.Repeat("\n", maxFileLines)
	write(t, filepath.Join(root, "mfa/clock.go"), "package mfa\n\nimport \"time\"\n\nvar t = time.Now\n\nfunc init() {}\n")
	write(t, filepath.Join(root, "mfa/long_test.go"), "package mfa\n"+long)
	write(t, filepath.Join(root, "web/web.go"), "// Package web is documented.\npackage web\n\nfunc f() {"+strings.Repeat("\n", maxFunctionLines)+"}\n")
	write(t, filepath.Join(root, "cmd/sallyport/main.go"), "// Command x is documented.\npackage main\n\nimport \"time\"\n\nfunc main() { time.Now() }\n")
	write(t, filepath.Join(root, "cmd/sallyport/dev/dev.go"), "// Package dev is documented.\npackage dev\n\nimport \"time\"\n\nvar t = time.Now\n")
	got, err := habits(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cmd/sallyport/dev/dev.go uses time.Now: the clock is a constructor argument",
		"mfa has no package comment",
		"mfa/clock.go has an init function",
		"mfa/clock.go uses time.Now: the clock is a constructor argument",
		fmt.Sprintf("mfa/long_test.go has %d lines, 400 at most", maxFileLines+1),
		"web/web.go: f has 81 lines, 80 at most",
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
