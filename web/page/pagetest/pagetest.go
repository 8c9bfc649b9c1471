// Package pagetest checks the templates and texts of a surface with pages.
package pagetest

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Check checks that both languages have the same texts, that alerts have both of theirs, that
// every text is used, and that no address of another host occurs. chosen matches the keys
// of texts that handlers choose while the server runs.
func Check(t *testing.T, files fs.FS, chosen string) {
	t.Helper()
	en, de := texts(t, files, "en"), texts(t, files, "de")
	sameTexts(t, en, de)
	alerts(t, en)
	forgotten(t, files, en, regexp.MustCompile(chosen))
	inside(t, files)
}

// texts reads a message file: every text or plural form under its full name.
func texts(t *testing.T, files fs.FS, lang string) map[string]string {
	t.Helper()
	raw, err := fs.ReadFile(files, "messages/"+lang+".json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for key, value := range file {
		switch v := value.(type) {
		case string:
			out[key] = v
		case map[string]any:
			for form, text := range v {
				out[key+"/"+form], _ = text.(string)
			}
		}
	}
	return out
}

var variable = regexp.MustCompile(`\{\{\.[A-Za-z]+\}\}`)

func sameTexts(t *testing.T, en, de map[string]string) {
	t.Helper()
	for key, text := range en {
		other, ok := de[key]
		if !ok {
			t.Errorf("%s is missing in German", key)
			continue
		}
		a, b := variable.FindAllString(text, -1), variable.FindAllString(other, -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: English names %v, German %v", key, a, b)
		}
		if strings.TrimSpace(text) == "" || strings.TrimSpace(other) == "" {
			t.Errorf("%s is empty", key)
		}
	}
	for key := range de {
		if _, ok := en[key]; !ok {
			t.Errorf("%s is missing in English", key)
		}
	}
}

func alerts(t *testing.T, en map[string]string) {
	t.Helper()
	for key := range en {
		base, alert := strings.CutSuffix(key, ".text")
		if alert && !strings.HasPrefix(key, "method.") && en[base+".title"] == "" {
			t.Errorf("%s has no title", base)
		}
	}
}

func forgotten(t *testing.T, files fs.FS, en map[string]string, chosen *regexp.Regexp) {
	t.Helper()
	var source strings.Builder
	each(t, files, "templates", func(_, text string) { source.WriteString(text) })
	for key := range en {
		key, _, _ = strings.Cut(key, "/")
		if !chosen.MatchString(key) && !strings.Contains(source.String(), `"`+key+`"`) {
			t.Errorf("no template uses %s", key)
		}
	}
}

// inside checks that a page loads nothing from other hosts.
func inside(t *testing.T, files fs.FS) {
	t.Helper()
	for _, folder := range []string{"templates", "static"} {
		each(t, files, folder, func(name, text string) {
			text = strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "")
			for _, banned := range []string{"http://", "https://", "//cdn", "@import", "eval(", "<style", "style=", "onclick"} {
				if strings.Contains(text, banned) {
					t.Errorf("%s holds %q", name, banned)
				}
			}
		})
	}
}

func each(t *testing.T, files fs.FS, folder string, do func(name, text string)) {
	t.Helper()
	list, err := fs.Glob(files, folder+"/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		do(name, string(text))
	}
}
