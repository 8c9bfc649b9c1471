package input_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sallyport/input"
)

func TestOneObjectIsRead(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	many := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, `"`+strings.Repeat("k", i+1)+`":1`)
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"an object", `{"a":"b"}`, true},
		{"an empty one", ` {} `, true},
		{"unknown members", `{"a":"b","x":{"y":[1,null,true]}}`, true},
		{"two names that differ in case", `{"a":"b","A":"c"}`, true},
		{"a name twice", `{"a":"b","a":"c"}`, false},
		{"a name twice, once escaped", `{"a":"b","\u0061":"c"}`, false},
		{"a name twice further down", `{"x":[{"a":1,"a":2}]}`, false},
		{"something after it", `{"a":"b"}{}`, false},
		{"text after it", `{"a":"b"} x`, false},
		{"nothing", ``, false},
		{"a list", `["a"]`, false},
		{"a string", `"a"`, false},
		{"null", `null`, false},
		{"cut off", `{"a":"b"`, false},
		{"a comma too many", `{"a":"b",}`, false},
		{"a comment", `{"a":"b"} // c`, false},
		{"a byte order mark", "\ufeff{}", false},
		{"not UTF-8", "{\"a\":\"\xff\"}", false},
		{"a NUL", `{"a":"\u0000"}`, false},
		{"a NUL in a name", `{"\u0000":"a"}`, false},
		{"as deep as allowed", deep(15), true},
		{"deeper", deep(16), false},
		{"as many members as allowed", many(100), true},
		{"more", many(101), false},
	} {
		if _, err := input.Object([]byte(tc.text)); (err == nil) != tc.ok {
			t.Errorf("%s: Object = %v, want ok %v", tc.name, err, tc.ok)
		}
	}
}

// FuzzObject compares with encoding/json: what Object accepts is JSON, with the same members.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{"request_id":"x","passcode":"123456"}`, `{"a":[{"b":null}],"c":1e9}`, `{"a":1,"a":2}`, `[`, "{\"\\ud800\":\"\"}", `{}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := input.Object(text)
		if err != nil {
			return
		}
		var other map[string]json.RawMessage
		if err := json.Unmarshal(text, &other); err != nil {
			t.Fatalf("took what is no JSON: %q", text)
		}
		if len(other) != len(members) {
			t.Fatalf("%d members, another reader sees %d: %q", len(members), len(other), text)
		}
		for name := range other {
			value, sent := members[name]
			if !sent {
				t.Fatalf("%q is missing of %q", name, text)
			}
			if _, isText := value.(string); isText != strings.HasPrefix(string(other[name]), `"`) {
				t.Fatalf("%q is of another type in %q", name, text)
			}
		}
	})
}
