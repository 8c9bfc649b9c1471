package desired

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"sallyport/config/strict"
)

// FuzzStateInJSON: the admin API depends on JSON being YAML. Any text in it is read unchanged
// or refused.
func FuzzStateInJSON(f *testing.F) {
	for _, seed := range []string{"plain", "a: b", "# no comment", "\"quoted\" \\ 'single'", "\u2028\u0085\ufeff", "\x07\x7f\t", "\U0001f6a2", "yes", "0123", "{x: [y]}", "- item", "&a *b !c %d @e `f", "line\nbreak\r\n", "trailing ", " leading", "\\u0041", "~", "=", "<<"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, want string) {
		if !utf8.ValidString(want) || strings.Contains(want, "\x00") {
			return // refused by the JSON parser
		}
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(map[string]any{"users": []any{map[string]any{"username": "x", "profile": map[string]any{"name": want}}}}); err != nil {
			t.Fatal(err)
		}
		s, err := Parse("", text.Bytes())
		if err == nil && s.Users[0].Profile["name"] != want {
			t.Fatalf("%q is read as %q", want, s.Users[0].Profile["name"])
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(goodState)
	f.Add("clients: &a [*a]\n? x\n: y\n<<: {}\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		var faults strict.Faults
		if _, err := Parse("f.yaml", []byte(text)); err != nil && !errors.As(err, &faults) {
			t.Errorf("%q: error is %T, want Faults", text, err)
		}
	})
}
