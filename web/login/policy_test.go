package login

import (
	"regexp"
	"strings"
	"testing"

	"sallyport/web/page"
)

func TestPolicyOfAPage(t *testing.T) {
	_, h := stage(t, page.Options{})
	seen := map[string]bool{}
	for _, name := range []string{"login", "login", "mfa-sending", "form-post", "recovery", "oauth-error"} {
		w := get(h, "/show/"+name, "en")
		policy, body := w.Header().Get("Content-Security-Policy"), w.Body.String()
		m := regexp.MustCompile(`'nonce-([A-Za-z0-9_-]{22})'`).FindStringSubmatch(policy)
		if m == nil {
			t.Fatalf("policy of %s = %q, want 128 random bits in it", name, policy)
		}
		if seen[m[1]] {
			t.Errorf("%s has the nonce of another response", name)
		}
		seen[m[1]] = true
		want := "default-src 'none'; style-src 'nonce-N'; script-src 'nonce-N'; img-src 'self' data: https://static.app.example; frame-ancestors 'none'; base-uri 'none'"
		if name == "mfa-sending" {
			want += "; connect-src 'self'" // its script asks whether the code was sent
		}
		if got := strings.ReplaceAll(policy, m[1], "N"); (name == "login" || name == "mfa-sending") && got != want {
			t.Errorf("policy = %q\nwant %q", got, want)
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "src 'self';") {
			t.Errorf("policy of %s = %q: the server's origin is no reason to run a script", name, policy)
		}
		tags := regexp.MustCompile(`<(script|style|link rel="stylesheet")[^>]*>`).FindAllString(body, -1)
		if len(tags) < 2 {
			t.Errorf("%s has %d scripts and styles", name, len(tags))
		}
		for _, tag := range tags {
			if !strings.Contains(tag, ` nonce="`+m[1]+`"`) {
				t.Errorf("%s does not carry the nonce of its response: %s", name, tag)
			}
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control = %q, want no-store", got)
		}
		if got := w.Header().Values("Cross-Origin-Opener-Policy"); len(got) != 0 {
			t.Errorf("%s has the opener policy %v: a popup would be cut off", name, got)
		}
	}
}
