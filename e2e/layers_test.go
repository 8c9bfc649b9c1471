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

// floors are the layers from the top down: a package may import those below it. config
// is not a layer: only cmd imports it.
var floors = map[string]int{"cmd": 5, "web": 4, "provider": 3, "mfa": 2, "storage": 1}

// shared are the packages that surfaces share. They import no surface.
var shared = []string{"web/page", "web/problem", "web/jsonbody", "web/signin"}

// mainPackage is the package in which the clock and the source of randomness enter.
const mainPackage = "cmd/sallyport"

// engines implement storage. Only cmd imports them.
var engines = []string{"storage/relational"}

// libraries names the packages that may import a library: one, unless the library is a
// vocabulary rather than a tool. An import that is not listed needs a decision record
// first (docs/decisions) and a line here second.
var libraries = map[string][]string{
	"github.com/gin-gonic/gin":            {"web"},
	"github.com/rs/cors":                  {"web"},
	"github.com/nicksnyder/go-i18n":       {"web"},
	"golang.org/x/time":                   {"web"},
	"github.com/ory/fosite":               {"provider"},
	"github.com/go-jose/go-jose/v4":       {"provider"},
	"github.com/pquerna/otp":              {"mfa"},
	"golang.org/x/crypto":                 {"mfa"},
	"golang.org/x/text":                   {"web", "mfa"},
	"gorm.io":                             {"storage/relational"},
	"github.com/glebarez":                 {"storage/relational"},
	"github.com/jackc/pgx/v5":             {"storage/relational"},
	"github.com/pressly/goose/v3":         {"storage/relational"},
	"github.com/goccy/go-yaml":            {"config"},
	"github.com/caarlos0/env/v11":         {"config"},
	"github.com/boombuler/barcode":        {"cmd/sallyport/dev"},
	"github.com/prometheus/client_golang": {"cmd"},
	"go.opentelemetry.io":                 {"cmd/sallyport/tracing"},
}

// Packages that read YAML: the settings and the desired state.
const (
	readers = "config/strict"
	wishes  = "provider/desired"
)

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
			test: strings.HasSuffix(below, "_test.go") || strings.HasSuffix(dir, "test") || room(dir) == "e2e"})
		return nil
	})
	return files, err
}

// room returns the first element of a directory below the module.
func room(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// breaks returns every import that violates a rule.
func breaks(root string) ([]string, error) {
	files, err := tree(root, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			if why := refuse(f, imported); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", f.path, imported, why))
			}
		}
	}
	return out, nil
}

// refuse returns why a file may not import a path, or "".
func refuse(f goFile, imported string) string {
	if target, ours := strings.CutPrefix(imported, module); ours {
		return refuseOurs(f, target)
	}
	if !strings.Contains(room(imported), ".") {
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

func refuseOurs(f goFile, target string) string {
	from, to := room(f.dir), room(target)
	switch {
	case from == "cmd" || from == "e2e" || f.dir == target:
		return ""
	case strings.HasSuffix(target, "test") && !f.test:
		return "it is for tests"
	case to == "cmd" || to == "e2e":
		return "nothing imports it"
	case strings.HasPrefix(target, readers) && (from == "config" || strings.HasPrefix(f.dir, wishes)):
		return ""
	case from == "config":
		return "config knows no room"
	case f.test && (to == "config" || slices.Contains(engines, target)):
		return ""
	case to == "config":
		return "only cmd knows the settings"
	case slices.Contains(engines, target) && !strings.HasPrefix(f.dir, target):
		return "only cmd chooses an engine"
	case floors[from] < floors[to]:
		return from + " is below " + to
	case from == "web" && to == "web" && f.dir == "web":
		return "the engine knows no surface"
	case from == "web" && to == "web" && target != "web" && !slices.Contains(shared, target) && !f.test:
		return "surfaces never import each other"
	case f.dir == "storage" && !f.test:
		return "storage is records and contracts on the standard library alone"
	}
	return ""
}

func TestLayersCatchesEveryKindOfBreak(t *testing.T) {
	root := t.TempDir()
	for name, imports := range map[string][]string{
		"cmd/sallyport/main.go":      {module + "config", module + "storage/relational", module + "web/login", "crypto/rand"},
		"web/server.go":              {"github.com/gin-gonic/gin", module + "web/login"},
		"web/login/page.go":          {"github.com/gin-gonic/gin", module + "web", module + "web/page", module + "web/problem", module + "provider", module + "mfa", module + "storage"},
		"web/page/look.go":           {module + "web", module + "web/login"},
		"web/oidc/token.go":          {module + "web/login", module + "storage/relational", module + "config"},
		"provider/next.go":           {"github.com/ory/fosite/compose", "github.com/gin-gonic/gin", module + "mfa", module + "web"},
		"cmd/sallyport/dev/dev.go":   {"crypto/rand", module + "config"},
		"mfa/totp.go":                {"github.com/pquerna/otp/hotp", "github.com/go-jose/go-jose/v4", module + "provider", "crypto/rand"},
		"mfa/totp_test.go":           {module + "storage/relational", module + "mfa/mfatest", module + "config"},
		"mfa/up_test.go":             {module + "web"},
		"mfa/users.go":               {module + "mfa/mfatest", module + "cmd/sallyport"},
		"storage/user.go":            {"gorm.io/gorm", module + "storage/seal", "context"},
		"storage/relational/user.go": {"gorm.io/gorm", module + "storage", module + "storage/seal"},
		"config/config.go":           {module + "mfa", "github.com/goccy/go-yaml", "github.com/spf13/viper"},
		"testdata/x.go":              {module + "cmd/sallyport"},
		"e2e/flow_test.go":           {module + "config", module + "web/login", module + "web/oidc"},
	} {
		text := "package x\n\nimport (\n"
		for _, i := range imports {
			text += "\t_ " + strconv.Quote(i) + "\n"
		}
		write(t, filepath.Join(root, name), text+")\n")
	}
	got, err := breaks(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cmd/sallyport/dev/dev.go imports crypto/rand: randomness is a constructor argument",
		"config/config.go imports github.com/spf13/viper: no decision record admits it",
		"config/config.go imports sallyport/mfa: config knows no room",
		"mfa/totp.go imports crypto/rand: randomness is a constructor argument",
		"mfa/totp.go imports github.com/go-jose/go-jose/v4: it belongs to provider",
		"mfa/totp.go imports sallyport/provider: mfa is below provider",
		"mfa/up_test.go imports sallyport/web: mfa is below web",
		"mfa/users.go imports sallyport/cmd/sallyport: nothing imports it",
		"mfa/users.go imports sallyport/mfa/mfatest: it is for tests",
		"provider/next.go imports github.com/gin-gonic/gin: it belongs to web",
		"provider/next.go imports sallyport/web: provider is below web",
		"storage/user.go imports gorm.io/gorm: storage is records and contracts on the standard library alone",
		"storage/user.go imports sallyport/storage/seal: storage is records and contracts on the standard library alone",
		"web/oidc/token.go imports sallyport/config: only cmd knows the settings",
		"web/oidc/token.go imports sallyport/storage/relational: only cmd chooses an engine",
		"web/oidc/token.go imports sallyport/web/login: surfaces never import each other",
		"web/page/look.go imports sallyport/web/login: surfaces never import each other",
		"web/server.go imports sallyport/web/login: the engine knows no surface",
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
