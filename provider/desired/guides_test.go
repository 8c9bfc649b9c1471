package desired

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestGuideClientsAreValid: the clients and keys in the guides can be copied unchanged.
func TestGuideClientsAreValid(t *testing.T) {
	block := regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)```")
	for _, name := range []string{"docs/desired-state.md", "docs/guides/coming-from-cidaas.md", "docs/guides/coming-from-stytch.md", "docs/guides/native-app.md", "docs/guides/own-login-page.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		found := block.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s shows no client", name)
		}
		for _, b := range found {
			state := strings.ReplaceAll("\n"+b[2], "\n"+b[1], "\n")
			if s, err := Parse(name, []byte(state)); err != nil || len(s.Clients)+len(s.APIKeys) == 0 {
				t.Errorf("%s: %d clients, %d keys, %v", name, len(s.Clients), len(s.APIKeys), err)
			}
		}
	}
}
