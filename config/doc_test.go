package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTheDocumentIsTrue: each setting has one row in docs/configuration.md that
// begins with its key, variable, default and bounds, and there is no other row.
func TestTheDocumentIsTrue(t *testing.T) {
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	rows(reflect.ValueOf(Default()), "", Prefix, func(row string) {
		want[row] = true
		if n := strings.Count(string(text), "\n"+row); n != 1 {
			t.Errorf("docs/configuration.md has %d rows that begin %q, want 1", n, row)
		}
	})
	for _, row := range regexp.MustCompile("(?m)^\\| `[^\n]*").FindAllString(string(text), -1) {
		cells := strings.SplitAfterN(row, "|", 6)
		if begin := strings.Join(cells[:len(cells)-1], ""); !want[begin] {
			t.Errorf("docs/configuration.md has a row that is no setting: %q", begin)
		}
	}
}

// TestTheStateDocumentNamesEveryKey: the same for docs/desired-state.md, where a row
// begins with its key.
func TestTheStateDocumentNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../docs/desired-state.md")
	if err != nil {
		t.Fatal(err)
	}
	clients, rest, found := strings.Cut(string(text), "\n## Users\n")
	users, keys, both := strings.Cut(rest, "\n## API keys\n")
	if !found || !both {
		t.Fatal("docs/desired-state.md has no sections Users and API keys")
	}
	for _, part := range []struct {
		text string
		of   reflect.Type
	}{{clients, reflect.TypeFor[Client]()}, {users, reflect.TypeFor[User]()}, {keys, reflect.TypeFor[APIKey]()}} {
		want := map[string]bool{}
		for i := range part.of.NumField() {
			want["| `"+part.of.Field(i).Tag.Get("yaml")+"` |"] = true
		}
		for _, row := range regexp.MustCompile("(?m)^\\| `[a-z0-9_]+` \\|").FindAllString(part.text, -1) {
			if !want[row] {
				t.Errorf("%s has no key for the row %q", part.of.Name(), row)
			}
			delete(want, row)
		}
		for row := range want {
			t.Errorf("%s has a key without a row %q", part.of.Name(), row)
		}
	}
}

func rows(v reflect.Value, path, prefix string, each func(row string)) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		key := join(path, tag.Get("yaml"))
		if inner := tag.Get("envPrefix"); inner != "" {
			rows(field, key, prefix+inner, each)
			continue
		}
		bounds := "-"
		if tag.Get("min") != "" {
			bounds = fmt.Sprintf("%s to %s", tag.Get("min"), tag.Get("max"))
		}
		each(fmt.Sprintf("| `%s` | `%s` | %s | %s |", key, prefix+tag.Get("env"), shown(field), bounds))
	}
}

func shown(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		s := x.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	case []string:
		if len(x) > 0 {
			return strings.Join(x, ", ")
		}
		return "none"
	case map[string]string:
		return "none"
	case string:
		if x == "" {
			return "none"
		}
		return x
	}
	return fmt.Sprint(v.Interface())
}
