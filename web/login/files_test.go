package login

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sallyport/web/page"
	"sallyport/web/page/pagetest"
)

// folder writes an operator's files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOperatorsFilesReplaceEmbeddedOnes(t *testing.T) {
	_, h := stage(t, page.Options{Product: "Harbour", TemplateDir: folder(t, map[string]string{
		"templates/logged_out.html": `{{define "title"}}{{.T "loggedout.title"}}{{end}}{{define "content"}}<h1 id="logged-out">Ahoy from {{.Product}}</h1>{{end}}`,
		"templates/error.html":      `{{define "title"}}x{{end}}{{define "content"}}<style nonce="{{ .Nonce }}">h1{color:red}</style><h1>Storm</h1>{{with .Alert}}<script nonce="{{$.Nonce}}" src="{{$.Static}}/own.js"></script>{{end}}{{end}}`,
		"messages/de.json":          `{"loggedout.title": "Auf Wiedersehen"}`,
		"static/sallyport.css":      "body { color: navy }",
		"static/harbour.png":        "png",
	})})
	body := get(h, "/show/logged-out", "de").Body.String()
	if !strings.Contains(body, "Ahoy from Harbour") || !strings.Contains(body, "<title>Auf Wiedersehen – Harbour</title>") {
		t.Errorf("page = %s, want the replacement", body)
	}
	if body := get(h, "/show/login", "de").Body.String(); !strings.Contains(body, "Anmelden") {
		t.Errorf("page = %s, want the embedded texts where none were replaced", body)
	}
	for name, want := range map[string]string{"sallyport.css": "body { color: navy }", "harbour.png": "png"} {
		if got := get(h, staticOf(t, body)+"/"+name, "").Body.String(); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	_, ours := stage(t, page.Options{})
	if staticOf(t, get(ours, "/show/logged-out", "de").Body.String()) == staticOf(t, body) {
		t.Error("other files have the same version: browsers would keep the old ones")
	}
}

// staticOf is the address of a page's static files.
func staticOf(t *testing.T, body string) string {
	t.Helper()
	m := regexp.MustCompile(`href="([^"]+)/sallyport.css"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no style in %s", body)
	}
	return m[1]
}

func TestOperatorsFilesAreChecked(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a template of no page":      {"templates/logn.html": "x"},
		"a language we have not":     {"messages/fr.json": "{}"},
		"a text that does not exist": {"templates/login.html": `{{define "content"}}{{if true}}{{.T "login.titel"}}{{end}}{{end}}`},
		"a text in an argument":      {"templates/login.html": `{{define "content"}}{{.T "title.error" "Title" (.T "nope")}}{{end}}`},
		"a broken template":          {"templates/login.html": `{{define "content"}}{{if}}`},
		"broken texts":               {"messages/en.json": `{`},
		"a static file of no kind":   {"static/page.html": "<script>"},
		"a script without the nonce": {"templates/login.html": `{{define "content"}}<script src="{{.Static}}/own.js"></script>{{end}}`},
		"an inline script":           {"templates/login.html": `{{define "content"}}<script>go()</script>{{end}}`},
		"a style without the nonce":  {"templates/layout.html": `<html><head><link rel="stylesheet" href="{{.Static}}/own.css"></head>{{template "content" .}}</html>`},
		"a nonce of one's own":       {"templates/login.html": `{{define "content"}}<style nonce="abc">p{}</style>{{end}}`},
		"an inline handler":          {"templates/login.html": `{{define "content"}}<p {{if true}}class="a"{{end}} onclick="go()">x</p>{{end}}`},
		"a style attribute":          {"templates/login.html": "{{define \"content\"}}<p\nSTYLE=\"x\">x</p>{{end}}"},
	} {
		if _, err := page.New(nil, page.Options{Issuer: issuer, TemplateDir: folder(t, files)}, Files()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTexts(t *testing.T) {
	pagetest.Check(t, embedded, `^((login\.(empty|unnamed)|(forgot|signup)\.(off|wrong|wait|claim|missing|passkey|field)|reset\.differ|device\.(wrong|allowed|denied)|waiting\.(allowed|denied|left)|mfa\.none|bookmark|reopened)\.|(forgot|signup)\.(title|text|submit|back|other|sent)\b)`)
}
