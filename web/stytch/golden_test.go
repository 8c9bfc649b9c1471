package stytch

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

var volatile = []struct{ pattern, name string }{
	{`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, "<uuid>"},
	{`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`, "<jwt>"},
	{`"session_token": "[A-Za-z0-9]{64}"`, `"session_token": "<token>"`},
	{`data:image/png;base64,[A-Za-z0-9+/=]+`, "<picture>"},
	{`"secret": "[A-Z2-7]{32}"`, `"secret": "<secret>"`},
	{`"[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}"`, `"<recovery code>"`},
	{`"(n|x5t#S256)": "[^"]+"`, `"$1": "<key>"`},
	{`"MII[^"]+"`, `"<certificate>"`},
	{`"next_cursor": "[^"]+"`, `"next_cursor": "<cursor>"`},
}

// golden compares a response with the recorded one: status, headers, body.
func (r reply) golden(t *testing.T, name string) reply {
	t.Helper()
	var b strings.Builder
	b.WriteString(http.StatusText(r.code) + "\n")
	for _, header := range []string{"Content-Type", "Retry-After", "Www-Authenticate", "Cache-Control"} {
		if v := r.w.Header().Get(header); v != "" {
			b.WriteString(header + ": " + v + "\n")
		}
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(r.raw), "", "  "); err != nil {
		t.Fatal(err)
	}
	got := b.String() + "\n" + pretty.String() + "\n"
	for _, v := range volatile {
		got = regexp.MustCompile(v.pattern).ReplaceAllString(got, v.name)
	}
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return r
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
	return r
}

// is checks a value of a response by its path, as it prints.
func (r reply) is(path string, want any) reply {
	r.h.T.Helper()
	if got := fmt.Sprint(r.at(path)); got != fmt.Sprint(want) {
		r.h.T.Errorf("%s = %s, want %v\n%s", path, got, want, r.raw)
	}
	return r
}
