package storagetest

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"testing"
)

// TestSearchFindsEveryEncoding proves that the search would find a leak.
func TestSearchFindsEveryEncoding(t *testing.T) {
	for _, secret := range []string{"pass word+with/signs&\"<ü>", "6f1ed002-ab55-91f8-7c3a-0d2e4b6a8c90", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		"dGhpcyBpcyBhIHRva2VuLCAzMiBieXRlcyBsb25n", "493817"} {
		x := NewIndex([]string{"something else entirely", secret})
		n := 0
		for _, s := range spellings(secret) {
			n++
			for _, text := range [][]byte{s.text, slices.Concat([]byte("before: "), s.text, []byte(" after")), slices.Concat([]byte{0, '"'}, s.text, []byte{'"', 0xff})} {
				hits := x.Search(text)
				if !slices.ContainsFunc(hits, func(h Hit) bool { return h.Secret == secret }) {
					t.Errorf("%q is not found as %s: %q", secret, s.name, text)
				}
			}
		}
		if n < 20 {
			t.Errorf("%d spellings of %q, want all of them", n, secret)
		}
		for name, encode := range map[string]func(string) string{
			"an encoder of Basic": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("client:" + s)) },
			"of a longer text": func(s string) string {
				return base32.StdEncoding.EncodeToString([]byte("user=someone&secret=" + s + "&more=1"))
			},
			"of a query": func(s string) string { return url.Values{"a": {"b"}, "secret": {s}}.Encode() },
			"of slog": func(s string) string {
				b, _ := json.Marshal(map[string]string{"error": "got " + s + "!"})
				return string(b)
			},
		} {
			if len(x.Search([]byte(encode(secret)))) == 0 {
				t.Errorf("%q is not found encoded by %s: %s", secret, name, encode(secret))
			}
		}
		if hits := x.Search([]byte("nothing of it, but 14938170 numbers, pass word, 6f1ed002-ab55 and JBSWY3DP")); len(hits) > 0 {
			t.Errorf("found %q as %s where it does not occur", hits[0].Secret, hits[0].Spelling)
		}
	}
}
