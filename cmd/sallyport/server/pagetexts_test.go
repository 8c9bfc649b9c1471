package server_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/servertest"
	"sallyport/mfa"
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
			if i.Second && i.Typed {
				want = append(want, refusalTexts(i)...)
			}
		}
		for _, key := range want {
			if text, _ := have[key].(string); text == "" {
				t.Errorf("%s has no text %q", language, key)
			}
		}
	}
}

// refusalTexts are the keys of what a method says of a wrong, used, expired or locked code.
func refusalTexts(i mfa.Info) []string {
	codes := []mfa.Code{mfa.InvalidPasscode, mfa.Replayed, mfa.InvalidExchange, mfa.Locked, mfa.TooMany}
	if i.Enrolls {
		codes = append(codes, mfa.EnrollmentExpired)
	}
	if i.Sends {
		codes = append(codes, mfa.PasscodeExpired)
	}
	var keys []string
	for _, code := range codes {
		key := "code." + string(code) + "." + i.Name
		keys = append(keys, key+".title", key+".text")
	}
	return keys
}

// A user with a recovery code has no app that shows the next one, and one with an app gets no
// new message.
func TestEachMethodHasItsOwnWordsForARefusal(t *testing.T) {
	c := servertest.NewAdminAPI(t)
	for _, language := range []string{"en", "de"} {
		said := map[string]string{}
		for _, i := range c.Server.Verifier.Methods() {
			own := map[string]string{}
			text, err := fs.ReadFile(i.Texts, "messages/"+language+".json")
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &own); err != nil {
				t.Fatal(err)
			}
			for key, text := range own {
				if other, ok := said[text]; ok && strings.HasPrefix(key, "code.") && strings.HasSuffix(key, ".text") {
					t.Errorf("%s says the same for %s and %s: %s", language, key, other, text)
				}
				said[text] = key
			}
		}
	}
}
