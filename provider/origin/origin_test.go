package origin_test

import (
	"strings"
	"testing"

	"sallyport/provider/origin"
)

// The right column is what Chromium returns for new URL(text).origin.
func TestOneSpellingForEveryOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://app.example.com/cb":          "https://app.example.com",
		"https://app.example.com:443/cb":      "https://app.example.com",
		"https://app.example.com:0443":        "https://app.example.com",
		"https://app.example.com:/cb":         "https://app.example.com",
		"https://app.example.com:80":          "https://app.example.com:80",
		"https://app.example.com:08443?a=b":   "https://app.example.com:8443",
		"http://localhost:80":                 "http://localhost",
		"http://localhost:443":                "http://localhost:443",
		"HTTPS://App.Example.COM":             "https://app.example.com",
		"https://bücher.example/cb":           "https://xn--bcher-kva.example",
		"https://BÜCHER.example":              "https://xn--bcher-kva.example",
		"https://bu\u0308cher.example":        "https://xn--bcher-kva.example",
		"https://xn--bcher-kva.example":       "https://xn--bcher-kva.example",
		"https://XN--BCHER-KVA.example":       "https://xn--bcher-kva.example",
		"https://b%C3%BCcher.example":         "https://xn--bcher-kva.example",
		"https://straße.example":              "https://xn--strae-oqa.example",
		"https://例え。テスト/":                     "https://xn--r8jz45g.xn--zckzah",
		"https://app_1.example":               "https://app_1.example",
		"https://r3---sn-4g5.example":         "https://r3---sn-4g5.example",
		"https://app.example.":                "https://app.example.",
		"https://user:pass@app.example.com/x": "https://app.example.com",
		"http://127.0.0.1:8080/":              "http://127.0.0.1:8080",
		"http://[::1]:3000":                   "http://[::1]:3000",
		"http://[0:0:0:0:0:0:0:1]:80/cb":      "http://[::1]",
		"https://[2001:DB8::1]":               "https://[2001:db8::1]",
		"https://[::ffff:192.0.2.1]":          "https://[::ffff:c000:201]",

		// Converting this would take the square of its length.
		"https://" + strings.Repeat("字", 10_000) + ".example": "",

		"":                           "",
		"null":                       "",
		"*":                          "",
		"https://":                   "",
		"https:app.example.com":      "",
		"app.example.com":            "",
		"//app.example.com":          "",
		"com.example.app:/cb":        "",
		"com.example.app://host/cb":  "",
		"file:///etc/passwd":         "",
		"https://app.example.com:x":  "",
		"https://a.example:99999":    "",
		"https://a b.example":        "",
		"https://a.example\x00":      "",
		"https://xn--a.example":      "",
		"https://[fe80::1%25eth0]":   "",
		"https://a.example, b":       "",
		"https://%00.example":        "",
		"https://a.example%2f.evil/": "",
	} {
		if got := origin.Of(text); got != want {
			t.Errorf("origin of %q = %q, want %q", text, got, want)
		}
	}
}

func TestAnUnknownOriginIsNotNone(t *testing.T) {
	for value, want := range map[string]string{
		"": "", "null": "null", "https://App.example:443": "https://app.example", "com.example.app://x": "com.example.app://x",
		"https://": "https://", "https://a.example https://b.example": "https://a.example https://b.example",
	} {
		if got := origin.OfHeader(value); got != want {
			t.Errorf("origin of the header %q = %q, want %q", value, got, want)
		}
	}
}

func TestSame(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"https://login.example/a", "https://LOGIN.example:443/b", true},
		{"https://login.example", "http://login.example", false},
		{"https://login.example", "https://login.example.evil.example", false},
		{"", "", false},
		{"com.example.app:/cb", "com.example.app:/cb", false},
		{"null", "null", false},
	} {
		if got := origin.Same(tc.a, tc.b); got != tc.want {
			t.Errorf("%q and %q: %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}
