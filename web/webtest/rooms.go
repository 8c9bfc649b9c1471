// Package webtest is what the tests of surfaces share: the rooms below them, and what a
// browser does with cookies and forms.
package webtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sallyport/mfa/mfatest"
	"sallyport/provider"
)

// Rooms are all rooms below the surfaces.
type Rooms struct {
	*mfatest.Services
	Provider *provider.Provider
}

// Open makes rooms. Without an algorithm the provider signs with ES256.
func Open(t testing.TB, m mfatest.Options, o provider.Options) Rooms {
	t.Helper()
	r := Rooms{Services: mfatest.Open(t, m)}
	if o.SigningAlg == "" {
		o.SigningAlg = "ES256"
	}
	var err error
	r.Provider, err = provider.New(r.Store, r.Keyring, r.Verifier, r.Sessions, r.Journal, m.Now, rand.Reader, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Challenge is the code_challenge of a verifier (RFC 7636 section 4.2).
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Jar keeps cookies as a browser does. A nil one keeps none.
type Jar map[string]string

// Put adds the cookies to a request.
func (j Jar) Put(r *http.Request) {
	for name, value := range j {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
}

// Take keeps the cookies of an answer.
func (j Jar) Take(w *httptest.ResponseRecorder) {
	if j == nil {
		return
	}
	for _, c := range w.Result().Cookies() {
		j[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(j, c.Name)
		}
	}
}

var (
	formTag  = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input([^>]*)>`)
	attrs    = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// Attrs returns all attributes of a text, name and value.
func Attrs(text string) [][2]string {
	var out [][2]string
	for _, m := range attrs.FindAllStringSubmatch(text, -1) {
		out = append(out, [2]string{m[1], html.UnescapeString(m[2])})
	}
	return out
}

// Attr returns an attribute of a tag; "" where it has none.
func Attr(tag, name string) string {
	for _, a := range Attrs(tag) {
		if a[0] == name {
			return a[1]
		}
	}
	return ""
}

// Form returns where the form that holds a text is sent, and its fields.
func Form(page, mark string) (string, url.Values, bool) {
	for _, m := range formTag.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(m[0], mark) {
			continue
		}
		fields := url.Values{}
		for _, i := range inputTag.FindAllStringSubmatch(m[2], -1) {
			if name := Attr(i[1], "name"); name != "" {
				fields.Add(name, Attr(i[1], "value"))
			}
		}
		return Attr(m[1], "action"), fields, true
	}
	return "", nil, false
}
