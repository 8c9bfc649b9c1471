package streambird

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// volatile is what differs from run to run.
var volatile = []struct{ pattern, name string }{
	{`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`, "<jwt>"},
	{`"(user|email|pn|totp|sess|jwk)_[0-9A-Za-z]{27}"`, `"${1}_<ksuid>"`},
	{`"session_token": "[0-9A-Za-z]{64}"`, `"session_token": "<token>"`},
	{`"[0-9a-z]{5}-[0-9a-z]{5}"`, `"<recovery code>"`},
	{`"secret": "[A-Z2-7]{32}"`, `"secret": "<secret>"`},
	{`"qr_base64": "iVBOR[0-9A-Za-z+/=]+"`, `"qr_base64": "<picture>"`},
	{`"(n|x5t#S256)": "[0-9A-Za-z_=-]+"`, `"$1": "<key>"`},
	{`"MII[0-9A-Za-z+/=]+"`, `"<certificate>"`},
}

// golden compares a response with the recorded one: status, headers, body. The clock of the
// test stands still, so times are part of it.
func golden(t *testing.T, name string, r reply) reply {
	t.Helper()
	var b strings.Builder
	b.WriteString(http.StatusText(r.code) + "\n")
	for _, header := range []string{"Content-Type", "Retry-After", "Www-Authenticate", "Cache-Control"} {
		if v := r.header.Get(header); v != "" {
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
