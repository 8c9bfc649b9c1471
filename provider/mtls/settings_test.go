package mtls_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sallyport/provider/mtls"
)

// The proxies of the guide pass on every endpoint that the metadata names there, and nothing else.
func TestTheGuidesProxiesPassOnTheseEndpoints(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guides/client-authentication.md")
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(maps.Values(mtls.Paths()))
	for name, list := range map[string]string{"nginx": `location ~ \^/\((.*)\)\$ \{`, "HAProxy": `unless \{ path (.*) \}`} {
		found := regexp.MustCompile(list).FindSubmatch(guide)
		if found == nil {
			t.Errorf("%s: no paths in the guide", name)
			continue
		}
		got := []string{}
		for _, path := range strings.FieldsFunc(string(found[1]), func(r rune) bool { return r == '|' || r == ' ' }) {
			got = append(got, "/"+strings.TrimPrefix(path, "/"))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s passes on %q, want %q", name, got, want)
		}
	}
}
