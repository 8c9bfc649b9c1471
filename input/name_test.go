package input_test

import (
	"testing"

	"sallyport/input"
)

func TestNamesThatCouldMisleadAreNotShown(t *testing.T) {
	for _, tc := range []struct {
		name string
		ok   bool
	}{
		{"Bücher & Söhne", true},
		{"", true},
		{"王 小明", true},
		{"مي\u200cخواهم", true},   // Persian, with a zero-width non-joiner
		{"👩\u200d💻 laptop", true}, // joined with a zero-width joiner
		{"a\nb", false},
		{"a\tb", false},
		{"a\x00b", false},
		{"\x1b[31mred", false},
		{"a\u0085b", false},
		{"a\u2028b", false},
		{"a\u2029b", false},
		{"\u202eknab ruoY", false},
		{"\u202dYour bank", false},
		{"a\u2066b", false},
		{"a\u2069b", false},
		{"a\u200fb", false},
		{"a\u061cb", false},
		{"a\u200bb", false},
		{"a\ufeffb", false},
		{"a\xffb", false},
		{"a\ufffdb", false},
	} {
		if input.Shown(tc.name) != tc.ok {
			t.Errorf("Shown(%q) = %v", tc.name, !tc.ok)
		}
	}
}
