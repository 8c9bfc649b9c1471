package cidaas

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

var volatile = []struct{ pattern, name string }{
	{`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, "<id>"},
	{`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`, "<jwt>"},
	{`sp_rt_[A-Za-z0-9]{64}`, "<refresh token>"},
	{`data:image/png;base64,[A-Za-z0-9+/=]+`, "<picture>"},
	{`[A-Z2-7]{32}`, "<secret>"},
	{`([A-Z2-7]{6}-){3}[A-Z2-7]{6}`, "<backup code>"},
	{`code=[A-Za-z0-9_-]{43,}`, "code=<code>"},
	{`"code": "[A-Za-z0-9_-]{43,}"`, `"code": "<code>"`},
	{`"(x|y|kid)":"[^"]+"`, `"$1":"<key>"`},
}

// golden compares a response with the recorded one: status, headers, body.
func golden(t *testing.T, name string, w *httptest.ResponseRecorder) {
	t.Helper()
	var b strings.Builder
	b.WriteString(http.StatusText(w.Code) + "\n")
	for _, header := range []string{"Content-Type", "Location", "Retry-After", "Www-Authenticate", "Access-Control-Allow-Origin", "Cache-Control"} {
		if v := w.Header().Get(header); v != "" {
			b.WriteString(header + ": " + v + "\n")
		}
	}
	body := bytes.TrimSpace(w.Body.Bytes())
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") == nil {
		body = pretty.Bytes()
	}
	got := b.String() + "\n" + string(body) + "\n"
	for _, v := range volatile {
		got = regexp.MustCompile(v.pattern).ReplaceAllString(got, v.name)
	}
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

// hide removes the real subject from a response that may contain it.
func hide(w *httptest.ResponseRecorder, sub string) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	out.Code = w.Code
	for name, values := range w.Header() {
		out.Header()[name] = values
	}
	out.Body = bytes.NewBufferString(strings.ReplaceAll(w.Body.String(), sub, "<subject>"))
	return out
}

var volatileID = regexp.MustCompile(volatile[0].pattern)
