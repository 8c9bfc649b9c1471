package page

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/storage/storagetest"
	"sallyport/web"
	"sallyport/web/page/pagetest"
)

const issuer = "https://login.example"

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// hall is a surface of one page.
var hall = fstest.MapFS{
	"templates/hall.html": {Data: []byte(`{{define "title"}}{{.T "hall.title"}}{{end}}{{define "content"}}<h1>{{template "title" .}}</h1>{{end}}`)},
	"messages/en.json":    {Data: []byte(`{"hall.title": "Hall", "hall.text": "{{.Least}} to {{.Most}} for {{.Who}}"}`)},
	"messages/de.json":    {Data: []byte(`{"hall.title": "Halle", "hall.text": "{{.Least}} bis {{.Most}} für {{.Who}}"}`)},
}

func newLook(t testing.TB) *Look {
	t.Helper()
	keyring, _ := storagetest.Keyring(t, t0)
	l, err := New(keyring, Options{Issuer: issuer}, hall)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type surface struct{ *Look }

func (s surface) Mount(r gin.IRouter) {
	s.Look.Mount(r)
	r.GET("/hall", func(c *gin.Context) {
		v := s.Page(c, "", nil)
		v.Client.Logo = c.Query("logo")
		s.Write(c, http.StatusOK, "hall", v)
	})
}

func serve(t testing.TB, l *Look, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := web.New(web.Options{Issuer: issuer}, rand.Reader, func() time.Time { return t0 }, surface{l})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestTexts(t *testing.T) {
	pagetest.Check(t, embedded, `^(language|code|status|method|scope|wait|time|cookies|stale|login|recovery|enroll|send\.ways|password\.differ)\.`)
}

func TestTextsNameTheParametersOfAnAlert(t *testing.T) {
	p := Page{speaker: newLook(t).texts.in("de"), Least: 8, Alert: &Alert{Params: map[string]string{"Least": "12", "Most": "64"}}}
	if text, err := p.T("hall.text", "Who", "Ada"); err != nil || text != "12 bis 64 für Ada" {
		t.Errorf("text = %q, %v", text, err)
	}
}

func TestPageLayout(t *testing.T) {
	l := newLook(t)
	for lang, want := range map[string]string{"en": "<title>Hall – Sallyport</title>", "de": "<title>Halle – Sallyport</title>"} {
		w := serve(t, l, "GET", "/hall?ui_locales="+lang)
		body := w.Body.String()
		if !strings.Contains(body, want) || !strings.Contains(body, `<html lang="`+lang+`">`) || w.Header().Get("Content-Language") != lang {
			t.Errorf("page in %s = %s", lang, body)
		}
		if !strings.Contains(body, l.static.address+"/sallyport.css") {
			t.Errorf("page without its style: %s", body)
		}
	}
}

func TestFilesThatDoNotFitAreRefused(t *testing.T) {
	if _, err := New(nil, Options{Issuer: "login.example"}); err == nil {
		t.Error("an issuer without a scheme: no error")
	}
	if _, err := New(nil, Options{Issuer: issuer, TemplateDir: t.TempDir() + "/missing"}, hall); err != nil {
		t.Errorf("a folder that holds nothing: %v", err)
	}
	for name, text := range map[string]string{
		"a missing text":                  `{{define "content"}}{{.T "hall.titel"}}{{end}}`,
		"one in a branch":                 `{{define "content"}}{{if .Alert}}{{else}}{{.T "nope"}}{{end}}{{end}}`,
		"one in an argument":              `{{define "content"}}{{.T "title.error" "Title" (.T "nope")}}{{end}}`,
		"one in a list":                   `{{define "content"}}{{range .Data}}{{$.T "nope"}}{{end}}{{end}}`,
		"one in a part":                   `{{define "content"}}{{with .Data}}{{$.T "nope"}}{{end}}{{end}}`,
		"a template that can not be read": `{{define "content"}}{{if}}`,
	} {
		if _, err := New(nil, Options{Issuer: issuer}, hall, fstest.MapFS{"templates/x.html": {Data: []byte(text)}}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	l := newLook(t)
	mine, other := strings.Repeat("b", 43), strings.Repeat("c", 43)
	good := l.CSRF(mine)
	for _, tc := range []struct {
		name, browser, value, origin, site string
		want                               bool
	}{
		{"the server's own form", mine, good, issuer, "same-origin", true},
		{"the server's own form with the origin hidden by the referrer policy", mine, good, "null", "same-origin", true},
		{"the server's own form in a browser that sends neither", mine, good, "", "", true},
		{"the server's own form in a browser that sends origin null only", mine, good, "null", "", true},
		{"a form sent again by the person", mine, good, "", "none", true},
		{"no value", mine, "", issuer, "same-origin", false},
		{"a value that is no base64", mine, "%%%", issuer, "same-origin", false},
		{"a value cut short", mine, good[:20], issuer, "same-origin", false},
		{"another browser's value", mine, l.CSRF(other), issuer, "same-origin", false},
		{"no cookie", "", good, issuer, "same-origin", false},
		{"no cookie and the value of none", "", l.CSRF(""), issuer, "same-origin", false},
		{"another site, value known somehow", mine, good, "https://evil.example", "cross-site", false},
		{"a sibling host", mine, good, "https://evil.login.example", "same-site", false},
		{"another origin in a browser without fetch metadata", mine, good, "https://evil.example", "", false},
		{"the server's host on http", mine, good, "http://login.example", "", false},
		{"the server's host on another port", mine, good, issuer + ":8443", "", false},
		{"the server's own form in a sandboxed window", mine, good, "null", "cross-site", true},
		{"the server's address with the default port", mine, good, issuer + ":443", "same-origin", true},
		{"the server's address in capitals", mine, good, strings.ToUpper(issuer), "same-origin", true},
		{"a hidden origin without the value", mine, "", "null", "same-origin", false},
		{"a hidden origin with another browser's value", mine, l.CSRF(other), "null", "cross-site", false},
		{"a hidden origin without the cookie", "", good, "null", "same-origin", false},
		{"cross-site in a browser that sends no origin", mine, good, "", "cross-site", false},
		{"an origin that is none", mine, good, "login.example", "same-origin", false},
	} {
		r := httptest.NewRequest("POST", "/hall", nil)
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		if tc.site != "" {
			r.Header.Set("Sec-Fetch-Site", tc.site)
		}
		if got := l.foreign(r, tc.browser, tc.value) == ""; got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestSignedTextsAreBoundToTheBrowser(t *testing.T) {
	l := newLook(t)
	mine, other := strings.Repeat("b", 43), strings.Repeat("c", 43)
	mark := l.Sign("then", mine, "add.totp")
	for _, tc := range []struct {
		name, purpose, browser, value string
		want                          bool
	}{
		{"unchanged", "then", mine, mark, true},
		{"in another browser", "then", other, mark, false},
		{"in no browser", "then", "", mark, false},
		{"for no browser", "then", "", l.Sign("then", "", "add.totp"), false},
		{"for another purpose", "done", mine, mark, false},
		{"with another text", "then", mine, strings.Replace(mark, "add", "del", 1), false},
		{"without its MAC", "then", mine, ".add.totp", false},
		{"empty", "then", mine, "", false},
	} {
		text, ok := l.Verify(tc.purpose, tc.browser, tc.value)
		if ok != tc.want || ok && text != "add.totp" {
			t.Errorf("%s: %q %t, want %t", tc.name, text, ok, tc.want)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	l := newLook(t)
	const forever = "public, max-age=31536000, immutable"
	for _, tc := range []struct {
		name, method, path string
		code               int
		kind, cache        string
	}{
		{"style", "GET", l.static.address + "/sallyport.css", 200, "text/css; charset=utf-8", forever},
		{"script", "GET", l.static.address + "/sallyport.js", 200, "text/javascript; charset=utf-8", forever},
		{"mark", "GET", l.static.address + "/mark.svg", 200, "image/svg+xml", forever},
		{"head only", "HEAD", l.static.address + "/mark.svg", 200, "image/svg+xml", forever},
		{"another version while two run", "GET", "/static/0123456789abcdef/sallyport.css", 200, "text/css; charset=utf-8", "no-cache"},
		{"a file we do not have", "GET", l.static.address + "/jquery.js", 404, "text/plain; charset=utf-8", "no-store"},
		{"path traversal", "GET", l.static.address + "/..%2ftemplates%2flayout.html", 404, "", "no-store"},
	} {
		w := serve(t, l, tc.method, tc.path)
		if w.Code != tc.code || tc.kind != "" && w.Header().Get("Content-Type") != tc.kind || w.Header().Get("Cache-Control") != tc.cache {
			t.Errorf("%s: %d %v, want %d %q %q", tc.name, w.Code, w.Header(), tc.code, tc.kind, tc.cache)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", tc.name)
		}
	}
}

func TestWait(t *testing.T) {
	l := newLook(t)
	for d, want := range map[time.Duration][2]string{
		time.Millisecond:        {"1 second", "1 Sekunde"},
		1500 * time.Millisecond: {"2 seconds", "2 Sekunden"},
		time.Minute:             {"60 seconds", "60 Sekunden"},
		61 * time.Second:        {"2 minutes", "2 Minuten"},
		time.Hour:               {"60 minutes", "60 Minuten"},
	} {
		for i, lang := range []string{"en", "de"} {
			if got, err := l.texts.in(lang).wait(d); err != nil || got != want[i] {
				t.Errorf("%v in %s = %q (%v), want %q", d, lang, got, err, want[i])
			}
		}
	}
	if text, err := l.texts.in("de").say("no.such.key", nil); err == nil {
		t.Errorf("an unknown text = %q, want an error", text)
	}
}

func TestPolicyOfAPage(t *testing.T) {
	for logo, want := range map[string]string{
		"":                                  "img-src 'self' data:;",
		"https://a.example:8443/x.png":      "img-src 'self' data: https://a.example:8443;",
		"https://a.example;script-src/x":    "img-src 'self' data:;",
		"https://a.example script-src *":    "img-src 'self' data:;",
		"https://a.example,*/x.png":         "img-src 'self' data:;",
		"javascript:alert(1)":               "img-src 'self' data:;",
		"https://user:pw@a.example/x.png":   "img-src 'self' data: https://a.example;",
		"data:image/svg+xml,<svg/>":         "img-src 'self' data:;",
		"//a.example/x.png":                 "img-src 'self' data:;",
		"https://*.example/x.png":           "img-src 'self' data:;",
		"https://[2001:db8::1]/x.png":       "img-src 'self' data:;",
		"https://a.example/%0d%0aSet-Cooki": "img-src 'self' data: https://a.example;",
	} {
		if got := policy("N", logo, false, nil); !strings.Contains(got, want) {
			t.Errorf("policy(%q) = %q, want %q in it", logo, got, want)
		}
	}
}

// A redirect with a control character is a bug: it panics and is not sent (H-5).
func TestRedirectRefusesControlCharacters(t *testing.T) {
	to := func(location string) *httptest.ResponseRecorder {
		h, err := web.New(web.Options{Issuer: issuer}, rand.Reader, func() time.Time { return t0 }, leading{location})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/lead", nil))
		return w
	}
	if w := to("/next?a=b"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/next?a=b" {
		t.Errorf("response %d to %q", w.Code, w.Header().Get("Location"))
	}
	for _, location := range []string{"/next\r\nSet-Cookie: a=b", "/next\x00", "/\tnext", "/next\x7f"} {
		if w := to(location); w.Code != http.StatusInternalServerError || w.Header().Get("Location") != "" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%q: response %d, %v", location, w.Code, w.Header())
		}
	}
}

// leading is a surface that redirects.
type leading struct{ to string }

func (l leading) Mount(r gin.IRouter) {
	r.GET("/lead", func(c *gin.Context) { Redirect(c, l.to) })
}
