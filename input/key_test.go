package input_test

import (
	"strings"
	"testing"

	"sallyport/input"
)

func TestAnUnknownKeyIsNotQuoted(t *testing.T) {
	known := []string{"client_id", "client_name", "redirect_uris", "mfa"}
	const all = "there is no such key; those here are client_id, client_name, redirect_uris, mfa"
	for _, tc := range []struct{ key, want string }{
		{"client_nmae", "there is no such key; did you mean client_name?"},
		{"redirect_urls", "there is no such key; did you mean redirect_uris?"},
		{"clientname", "there is no such key; did you mean client_name?"},
		{"Client_ID", "there is no such key; did you mean client_id?"},
		{"mfas", "there is no such key; did you mean mfa?"},
		{"s3cr3t-correct-horse", all},
		{"", all},
		{"x", all},
		{strings.Repeat("client_id", 1000), all},
	} {
		if got := input.NoSuchKey(tc.key, known); got != tc.want {
			t.Errorf("NoSuchKey(%.20q) = %q, want %q", tc.key, got, tc.want)
		}
	}
	if got := input.NoSuchKey("x", nil); got != "there is no such key; none belongs here" {
		t.Errorf("without any key: %q", got)
	}
}
