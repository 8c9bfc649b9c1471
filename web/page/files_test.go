package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesOfAnOperatorsFolderAreText(t *testing.T) {
	layout, err := embedded.ReadFile("templates/layout.html")
	if err != nil {
		t.Fatal(err)
	}
	const texts = `{"code.invalid_request.title": "Grüße"}`
	for _, tc := range []struct{ name, layout, texts, want string }{
		{"as on Unix", string(layout), texts, ""},
		{"as on Windows", "\ufeff" + strings.ReplaceAll(string(layout), "\n", "\r\n"), "\ufeff" + texts + "\r\n", ""},
		{"a template in Latin-1", string(layout) + "<!-- f\xfcr -->", texts, "layout.html: line"},
		{"texts in Latin-1", string(layout), strings.ReplaceAll(texts, "ü", "\xfc"), "en.json: line 1 is not UTF-8"},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"templates/layout.html": tc.layout, "messages/en.json": tc.texts} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := New(nil, Options{Issuer: "https://login.example.com", TemplateDir: dir})
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\xfc")):
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if tc.want != "" {
			continue
		}
		files, err := layers{embedded}.under(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := files.ReadFile("templates/layout.html"); err != nil || string(got) != string(layout) {
			t.Errorf("%s: the template is read as %.20q, %v", tc.name, got, err)
		}
	}
}
