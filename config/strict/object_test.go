package strict

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// order has a field of every kind.
type order struct {
	Name  string         `yaml:"name"`
	Open  *bool          `yaml:"open"`
	Count int            `yaml:"count"`
	Share float64        `yaml:"share"`
	Wait  time.Duration  `yaml:"wait"`
	Until time.Time      `yaml:"until"`
	Tags  []string       `yaml:"tags"`
	Any   map[string]any `yaml:"any"`
	Of    []order        `yaml:"of"`
}

func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		t.Fatal(err)
	}
	return members
}

// JSON is YAML: a parsed object has the values and faults of its text.
func TestObjectReadsWhatDecodeReads(t *testing.T) {
	for _, text := range []string{
		`{}`,
		`{"name": "a", "open": false, "count": 3, "share": 0.25, "wait": "90s", "until": "2027-01-31T18:00:00Z", "tags": ["x", "y"],
			"any": {"n": 7, "s": "t", "b": true, "l": [1, {"k": "v"}]}, "of": [{"name": "inner", "of": [{"count": 1}]}]}`,
		`{"name": 7, "open": "yes", "count": -1, "share": "x", "wait": 90, "until": "soon", "tags": "x", "any": [], "of": [{"nam": "x"}]}`,
		`{"count": 1.5, "share": 7, "name": null, "tags": [null, "x"], "of": {"name": "x"}, "any": {"f": 1.5, "n": null}}`,
		`{"count": 99999999999999999999}`,
		`{"name": "two\nlines\n", "tags": ["", " x ", "# no comment", "a: b"]}`,
	} {
		var one, other order
		object, decoded := Object(parsed(t, text), &one), Decode("", []byte(text), &other)
		faults := func(r *Reader) []string {
			var out []string
			for _, f := range r.faults {
				out = append(out, f.Path+": "+f.Text)
			}
			slices.Sort(out)
			return out
		}
		got, want := faults(object), faults(decoded)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: faults\n%s\nwant those of the text\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(want) == 0 && !reflect.DeepEqual(one, other) {
			t.Errorf("%s is %+v, want %+v as from its text", text, one, other)
		}
	}
}

// FuzzObject checks that any text in an object is read unchanged.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{"plain", "a: b", "line\nbreak\r\n", " trailing ", "\u2028\ufeff", "0123", "~"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, want string) {
		if !utf8.ValidString(want) {
			return
		}
		var o order
		r := Object(map[string]any{"name": want, "any": map[string]any{want: want}}, &o)
		if err := r.Err(); err != nil || o.Name != want || o.Any[want] != want {
			t.Errorf("%q is read as %q, %v; %v", want, o.Name, o.Any, err)
		}
	})
}
