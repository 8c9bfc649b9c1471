package methodtest

import (
	"encoding/json"
	"strings"
	"testing"

	"sallyport/mfa"
)

// Spellings returns a code as people type and paste it.
func Spellings(code string) []string {
	digits := func(zero rune) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return zero + r - '0'
			}
			return r
		}, code)
	}
	wide := strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r + '\uff01' - '!'
		}
		return r
	}, code)
	in := func(separator string) string { return code[:3] + separator + code[3:] }
	return []string{code, wide, digits('\u0660'), digits('\u06f0'), digits('\u0966'), " " + in(" ") + "\r\n", in("-"), in("\u2013"), in("\u2212"),
		in("\uff0d"), in("\u00a0"), in("\u202f"), in("\u3000"), in("\u200b"), in("\u00ad"), "\ufeff" + code, "\u200e" + code + "\u202c"}
}

// testSpellings types right codes in every spelling.
func testSpellings(t *testing.T, f Fixture) {
	if i := f.Method.Info(); !i.Typed || !i.Second {
		return // its responses are not codes
	}
	a := f.attempt(f.Owner)
	c, s := f.begin(t, a)
	var code string
	if err := json.Unmarshal(f.Answer(t, f.Owner, c, f.Now), &code); err != nil {
		t.Fatal(err)
	}
	for _, typed := range Spellings(code) {
		if p, ok := f.Method.(mfa.Parser); ok {
			if err := p.Parse(a, mfa.Typed(typed)); err != nil {
				t.Errorf("Parse of %q: %v", typed, err)
			}
		}
		if _, err := f.finish(a, s, mfa.Typed(typed)); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
	}
}
