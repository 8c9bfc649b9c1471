package server_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"testing"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/provider/claims"
)

// texts are the texts of the pages in a language.
func texts(t *testing.T, language string) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, of := range []string{"page", "login", "account"} {
		text, err := os.ReadFile("../../../web/" + of + "/messages/" + language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Pages have fallback texts. Every built-in scope and method nevertheless has its own texts in
// every language.
func TestScopesAndMethodsHaveTexts(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	for _, language := range []string{"en", "de"} {
		have := texts(t, language)
		var want []string
		for _, scope := range claims.Scopes() {
			want = append(want, "scope."+scope)
		}
		for _, i := range c.Server.Verifier.Methods() {
			text, err := fs.ReadFile(i.Texts, "messages/"+language+".json")
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &have); err != nil {
				t.Fatal(err)
			}
			want = append(want, "method."+i.Name+".short")
			if i.Second {
				want = append(want, "method."+i.Name+".name")
			}
			if i.Second && i.Typed {
				want = append(want, "method."+i.Name+".label", "method."+i.Name+".text")
			}
			if i.Enrolls {
				want = append(want, "method."+i.Name+".need", "method."+i.Name+".begin", "method."+i.Name+".add", "method."+i.Name+".scan", "method."+i.Name+".code")
			}
		}
		for _, key := range want {
			if text, _ := have[key].(string); text == "" {
				t.Errorf("%s has no text %q", language, key)
			}
		}
	}
}
