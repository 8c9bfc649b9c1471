package input_test

import (
	"testing"

	"sallyport/input"
)

func TestSpellingsOfOneNameAreTheSame(t *testing.T) {
	for _, tc := range []struct{ a, b string }{
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"σίσυφος", "σίσυφοσ"},
		{"STRASSE", "straße"},
		{"ada", "ＡＤＡ"},
		{"Kelvin", "\u212aelvin"},
		{"ﬁona", "FIONA"},
		{"ada@BÜCHER.example", "ada@xn--bcher-kva.example"},
		{"ada@bücher.example", "Ada@XN--BCHER-KVA.Example"},
		{"ada@bu\u0308cher.example", "ada@bücher.example"},
		{"ada@bücher。example", "ada@bücher.example"},
		{"ΣΊΣΥΦΟΣ@example.gr", "σίσυφος@EXAMPLE.gr"},
		{"ada@παράδειγμα.δοκιμή", "ada@xn--hxajbheg2az3al.xn--jxalpdlp"},
		{"ada@.example", "ADA@.EXAMPLE"}, // not a domain
	} {
		a, b := input.SameName(tc.a), input.SameName(tc.b)
		if a != b || a == "" || input.SameName(a) != a {
			t.Errorf("%q is %q, %q is %q", tc.a, a, tc.b, b)
		}
	}
	for _, tc := range []struct{ a, b string }{
		{"ada", "bob"},
		{"jose", "josé"},
		{"ada@straße.example", "ada@strasse.example"}, // two domains since IDNA 2008
		{"i", "ı"},
		{"ada@bücher.example", "ada@bucher.example"},
	} {
		if a, b := input.SameName(tc.a), input.SameName(tc.b); a == b {
			t.Errorf("%q and %q are both %q", tc.a, tc.b, a)
		}
	}
}
