package strict

import (
	"fmt"
	"strings"
	"testing"
)

// lines returns n lines, each with its number.
func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", i)
	}
	return b.String()
}

// nested returns n collections, each within the one before.
func nested(n int, open, inner, end string) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
}

// nestedKeys returns n keys, each within the one before.
func nestedKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String() + strings.Repeat(" ", n) + "a: x\n"
}

// sample is what the texts are read into.
type sample struct {
	Users []struct {
		Username string         `yaml:"username"`
		Email    string         `yaml:"email"`
		Roles    []string       `yaml:"roles"`
		Profile  map[string]any `yaml:"profile"`
	} `yaml:"users"`
}

func TestTextsBeyondTheBoundsAreNotParsed(t *testing.T) {
	const deep, wide, odd = "more than 64 levels", "more than 256 keys", "more than 256 values that are empty"
	for _, tc := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"lists in brackets", nested(65, "[", "x", "]"), 1, deep},
		{"brackets that never close", strings.Repeat("[", 1000), 1, deep},
		{"objects", nested(65, `{"a":`, "1", "}"), 1, deep},
		{"objects in lists", "users:\n " + nested(40, `[{"a":`, "1", "}]"), 2, deep},
		{"lists in one line", strings.Repeat("- ", 65) + "x", 1, deep},
		{"keys that are collections", strings.Repeat("? ", 65) + "x", 1, deep},
		{"keys within keys", nestedKeys(65), 65, deep},
		{"many keys", lines(257, "a%d: x"), 257, wide},
		{"many keys of one item of a list", "users:\n" + lines(1, "- a%d: x") + lines(256, "  b%d: x"), 258, wide},
		{"keys without values", lines(200, "- a%d:\n  b:"), 257, odd},
		{"entries without values", strings.Repeat("-\n", 257), 257, odd},
		{"members without values", "{" + strings.Repeat("a: ,", 257) + "}", 1, odd},
		{"members without colons", "{" + strings.Repeat("a,", 257) + "}", 1, odd},
		{"tags", lines(257, "- !a x%d"), 257, odd},
		{"anchors", lines(257, "- &a%d x"), 257, odd},
		{"aliases", "- &a x\n" + strings.Repeat("- *a\n", 256), 257, odd},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s sample
			err := Decode("state", []byte(tc.text), &s).Err()
			want := fmt.Sprintf("state:%d: %s", tc.line, tc.want)
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("error = %.200v, want %s ...", err, want)
			}
		})
	}
}

func TestLargeTextsWithinTheBoundsAreRead(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		users      int
	}{
		{"many users", "users:\n" + lines(2000, "- username: user%d # with a note\n  # and one more\n  profile:\n    name: Some One\n  roles:\n  - a\n  - b"), 2000},
		{"many users in JSON", `{"users":[` + strings.TrimSuffix(lines(2000, `{"username":"user%d","profile":{"name":"Some One"},"roles":["a","b"]},`), ",\n") + "]}", 2000},
		{"lists indented under their keys", "users:\n" + lines(300, "  -\n    username:\n      user%d\n    roles:\n      - a"), 300},
		{"comments before a value", "users:\n# first\n" + lines(300, "- username: # mind\n# the gap\n    user%d\n  email:\n# here\n    a@example.com\n  profile: {\n  # none\n  }"), 300},
		{"as deep as allowed", "users:\n- username: one\n  profile:\n    name: one\n    address: " + nested(61, "[", "", "]"), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s sample
			if err := Decode("state", []byte(tc.text), &s).Err(); err != nil {
				t.Fatalf("error = %.300v", err)
			}
			if len(s.Users) != tc.users {
				t.Errorf("%d users, want %d", len(s.Users), tc.users)
			}
		})
	}
}
