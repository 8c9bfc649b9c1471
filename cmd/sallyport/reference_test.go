package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"sallyport/config"
	"sallyport/config/strict"
	"sallyport/provider/desired"
)

var update = flag.Bool("update", false, "write the references in docs")

// The tables in docs are generated from the code.
func TestReferencesAreCurrent(t *testing.T) {
	for name, reference := range map[string]func() ([]strict.Section, error){
		"../../docs/configuration.md": config.Reference,
		"../../docs/desired-state.md": desired.Reference,
	} {
		sections, err := reference()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		const begin, end = "<!-- made by: make docs -->\n", "<!-- end of what is made -->\n"
		before, rest, ok := strings.Cut(string(text), begin)
		_, after, also := strings.Cut(rest, end)
		if !ok || !also {
			t.Fatalf("%s has no place for its reference", name)
		}
		want := before + begin + "\n" + strict.Markdown(sections) + "\n" + end + after
		if want == string(text) {
			continue
		}
		if !*update {
			t.Errorf("%s is not what the comments in config and provider/desired say; \"make docs\" mends it", name)
			continue
		}
		if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
