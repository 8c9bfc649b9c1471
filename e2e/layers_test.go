package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the prefix of this module's import paths.
const module = "sallyport/"

// drawing is the document with the diagrams: a package may import those that a path of
// arrows leads to.
const drawing = "docs/architecture.md"

// layers orders the top level for tests, which may import packages of the same layer or below.
var layers = map[string]int{"cmd": 5, "web": 4, "provider": 3, "mfa": 2, "storage": 1}

// mainPackage is the package in which the clock and the source of randomness enter.
const mainPackage = "cmd/sallyport"

// samples are applications of clients, which the demo serves and the tests run.
const samples = "e2e/samples"

// engines store. Only cmd chooses one; tests use the real one.
var engines = []string{"storage/relational"}

// libraries names the packages that may import a library: one tree, unless the library is
// a vocabulary rather than a tool. An import that is not listed needs a decision record
// first (docs/decisions) and a line here second.
var libraries = map[string][]string{
	"github.com/gin-gonic/gin":            {"web"},
	"github.com/rs/cors":                  {"web"},
	"github.com/nicksnyder/go-i18n":       {"web"},
	"golang.org/x/time":                   {"web"},
	"github.com/ory/fosite":               {"provider"},
	"github.com/go-jose/go-jose/v4":       {"provider/signing", "provider/clientkeys", "provider/dpop"},
	"github.com/pquerna/otp":              {"mfa"},
	"github.com/go-webauthn/webauthn":     {"mfa/passkey"},
	"github.com/wneessen/go-mail":         {"mfa/delivery/smtp"},
	"github.com/nyaruka/phonenumbers":     {"mfa/phone"},
	"golang.org/x/crypto":                 {"mfa"},
	"golang.org/x/net":                    {"provider/origin", "input"},
	"golang.org/x/text":                   {"web", "mfa", "input"},
	"gorm.io":                             {"storage/relational"},
	"modernc.org/sqlite":                  {"storage/relational"},
	"github.com/jackc/pgx/v5":             {"storage/relational"},
	"github.com/pressly/goose/v3":         {"storage/relational"},
	"github.com/goccy/go-yaml":            {"config"},
	"github.com/caarlos0/env/v11":         {"config"},
	"github.com/boombuler/barcode":        {"cmd/sallyport/dev"},
	"github.com/prometheus/client_golang": {"cmd"},
	"go.opentelemetry.io":                 {"cmd/sallyport/tracing"},
}

func TestLayers(t *testing.T) {
	broken, err := breaks("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

// goFile is one parsed file of the tree.
type goFile struct {
	path string // below the root, with slashes
	dir  string
	test bool // a test, or of a package that exists for tests
	set  *token.FileSet
	ast  *ast.File
}

// tree parses every Go file below root.
func tree(root string, mode parser.Mode) ([]goFile, error) {
	var files []goFile
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != root || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, name, nil, mode)
		if err != nil {
			return err
		}
		below = filepath.ToSlash(below)
		dir := path.Dir(below)
		files = append(files, goFile{path: below, dir: dir, set: set, ast: parsed,
			test: strings.HasSuffix(below, "_test.go") || strings.HasSuffix(dir, "test") || top(dir) == "e2e"})
		return nil
	})
	return files, err
}

// top is the first element of a directory below the module.
func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// breaks returns every import that breaks a rule, and every difference between the diagrams
// and the packages.
func breaks(root string) ([]string, error) {
	files, err := tree(root, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	plan, err := readPlan(filepath.Join(root, drawing))
	if err != nil {
		return nil, err
	}
	out := plan.differences(files)
	for _, f := range files {
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			if why := plan.refuse(f, imported); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", f.path, imported, why))
			}
		}
	}
	return out, nil
}

// refuse says why a file may not import a path, or nothing.
func (p plan) refuse(f goFile, imported string) string {
	if target, own := strings.CutPrefix(imported, module); own {
		return p.refusePackage(f, target)
	}
	if !strings.Contains(top(imported), ".") {
		return refuseStandard(f, imported)
	}
	if f.test {
		return ""
	}
	if f.dir == "storage" {
		return "storage is records and contracts on the standard library alone"
	}
	for _, library := range slices.Sorted(maps.Keys(libraries)) {
		if imported != library && !strings.HasPrefix(imported, library+"/") {
			continue
		}
		for _, home := range libraries[library] {
			if f.dir == home || strings.HasPrefix(f.dir, home+"/") {
				return ""
			}
		}
		return "it belongs to " + strings.Join(libraries[library], " and ")
	}
	return "no decision record admits it"
}

// refuseStandard: randomness is injected by the main package, like the clock. math/rand is allowed for
// jitter of retries.
func refuseStandard(f goFile, imported string) string {
	if imported == "crypto/rand" && !f.test && f.dir != mainPackage {
		return "randomness is a constructor argument"
	}
	return ""
}

// refusePackage returns why a file may not import a package of this module, or "".
func (p plan) refusePackage(f goFile, target string) string {
	from, to := top(f.dir), top(target)
	switch {
	case from == "cmd" && f.test || from == "e2e" || f.dir == target || !f.test && p.leads(f.dir, target):
		return ""
	case from == "cmd" && target == samples:
		return ""
	case strings.HasSuffix(target, "test") && !f.test:
		return "it is for tests"
	case f.test && (to == "config" || slices.Contains(engines, target)) && to != "cmd":
		return ""
	case f.test && layers[from] < layers[to]:
		return from + " is below " + to
	case f.test:
		return ""
	}
	return "no arrow of " + drawing + " leads there"
}

func TestLayersCatchesEveryKindOfBreak(t *testing.T) {
	root := t.TempDir()
	for name, imports := range map[string][]string{
		"cmd/sallyport/main.go":      {module + "config", module + "storage/relational", module + "web/login", "crypto/rand"},
		"web/server.go":              {"github.com/gin-gonic/gin", module + "web/login"},
		"web/login/page.go":          {"github.com/gin-gonic/gin", module + "web", module + "web/page", module + "provider", module + "mfa", module + "storage"},
		"web/page/look.go":           {module + "web", module + "web/login"},
		"web/oidc/token.go":          {module + "web/login", module + "storage/relational", module + "config"},
		"provider/next.go":           {"github.com/ory/fosite/compose", "github.com/gin-gonic/gin", module + "mfa", module + "web"},
		"mfa/totp.go":                {"github.com/pquerna/otp/hotp", "github.com/go-jose/go-jose/v4", module + "provider", "crypto/rand"},
		"mfa/totp_test.go":           {module + "storage/relational", module + "mfa/mfatest", module + "config"},
		"mfa/up_test.go":             {module + "web"},
		"mfa/users.go":               {module + "mfa/mfatest", module + "cmd/sallyport"},
		"storage/user.go":            {"gorm.io/gorm", module + "storage/seal", "context"},
		"storage/relational/user.go": {"gorm.io/gorm", module + "storage", module + "storage/seal"},
		"storage/seal/seal.go":       {module + "storage"},
		"config/config.go":           {module + "mfa", "github.com/goccy/go-yaml", "github.com/spf13/viper"},
		"web/extra/x.go":             {module + "web"},
		"testdata/x.go":              {module + "cmd/sallyport"},
		"e2e/flow_test.go":           {module + "config", module + "web/login", module + "web/oidc"},
	} {
		text := "package x\n\nimport (\n"
		for _, i := range imports {
			text += "\t_ " + strconv.Quote(i) + "\n"
		}
		write(t, filepath.Join(root, name), text+")\n")
	}
	write(t, filepath.Join(root, drawing), badDiagram)
	got, err := breaks(root)
	if err != nil {
		t.Fatal(err)
	}
	const none = ": no arrow of " + drawing + " leads there"
	want := []string{
		drawing + " draws provider/gone, which does not exist",
		drawing + " does not draw web/extra",
		drawing + " has an arrow from web/page to storage, but nothing there imports it",
		"web/extra/x.go imports sallyport/web" + none,
		"config/config.go imports github.com/spf13/viper: no decision record admits it",
		"config/config.go imports sallyport/mfa" + none,
		"mfa/totp.go imports crypto/rand: randomness is a constructor argument",
		"mfa/totp.go imports github.com/go-jose/go-jose/v4: it belongs to provider/signing and provider/clientkeys and provider/dpop",
		"mfa/totp.go imports sallyport/provider" + none,
		"mfa/up_test.go imports sallyport/web: mfa is below web",
		"mfa/users.go imports sallyport/cmd/sallyport" + none,
		"mfa/users.go imports sallyport/mfa/mfatest: it is for tests",
		"provider/next.go imports github.com/gin-gonic/gin: it belongs to web",
		"provider/next.go imports sallyport/web" + none,
		"storage/user.go imports gorm.io/gorm: storage is records and contracts on the standard library alone",
		"storage/user.go imports sallyport/storage/seal" + none,
		"web/oidc/token.go imports sallyport/config" + none,
		"web/oidc/token.go imports sallyport/storage/relational" + none,
		"web/oidc/token.go imports sallyport/web/login" + none,
		"web/page/look.go imports sallyport/web/login" + none,
		"web/server.go imports sallyport/web/login" + none,
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("breaks:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
