package stytch

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// curl is a call as a guide shows it. The addresses and bodies in testdata/*.curl are copied
// unchanged.
type curl struct{ verb, path, body string }

var (
	curlVerb = regexp.MustCompile(`--request (\w+)`)
	curlURL  = regexp.MustCompile(`--url https://test\.stytch\.com(\S+)`)
	curlBody = regexp.MustCompile(`(?s)-d '(.*?)'`)
)

func readCurl(t *testing.T, name string) curl {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".curl"))
	if err != nil {
		t.Fatal(err)
	}
	return curl{curlVerb.FindStringSubmatch(string(text))[1], curlURL.FindStringSubmatch(string(text))[1], curlBody.FindStringSubmatch(string(text))[1]}
}

// The calls of the guide work word for word, with the ID and code of a user in place of those
// it shows. Two of them have a trailing comma, which is not JSON: they are refused and
// change nothing.
func TestCallsOfTheGuide(t *testing.T) {
	h := newFixture(t)
	first := readCurl(t, "users")
	made := h.call(first.verb, first.path, first.body).ok().is("user.emails.0.email", "sandbox@stytch.com")
	user := made.get("user_id")
	fill := strings.NewReplacer("user-test-16d9ba61-97a1-4ba4-9720-b03761dc50c6", user)
	repair := regexp.MustCompile(`,\s*}`)

	second := readCurl(t, "totps")
	second.body = fill.Replace(second.body)
	h.call(second.verb, second.path, second.body).refused(400, "bad_request").golden(t, "trailing_comma")
	h.call(http.MethodGet, "/v1/users/"+user, "").ok().is("totps", "[]")
	app := h.call(second.verb, second.path, repair.ReplaceAllString(second.body, "}")).ok()

	third := readCurl(t, "totps_authenticate")
	third.body = strings.NewReplacer("576831", h.Code(app.get("secret"))).Replace(fill.Replace(third.body))
	h.call(third.verb, third.path, third.body).refused(400, "bad_request")
	h.call(http.MethodGet, "/v1/users/"+user, "").ok().is("totps.0.verified", false)
	h.call(third.verb, third.path, repair.ReplaceAllString(third.body, "}")).ok().is("totp_id", app.get("totp_id"))
}
