package input_test

import (
	"strings"
	"testing"

	"sallyport/input"
)

func TestTerms(t *testing.T) {
	for text, want := range map[string]bool{
		"https://example.com/terms": true, "https://example.com/terms?v=2#part": true,
		"": false, "http://example.com/terms": false, "javascript:alert(1)": false, "https://": false, "https://me:secret@example.com/": false, "https://example.com/\u202e": false,
	} {
		if got := input.TermsURL(text); got != want {
			t.Errorf("TermsURL(%q) = %t, want %t", text, got, want)
		}
	}
	for text, want := range map[string]bool{
		"2026-01": true, "Version 7 ü": true, strings.Repeat("x", 64): true,
		"": false, " 7": false, "7\n": false, "a\u202eb": false, strings.Repeat("x", 65): false,
	} {
		if got := input.TermsVersion(text); got != want {
			t.Errorf("TermsVersion(%q) = %t, want %t", text, got, want)
		}
	}
}
