package apidocs_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/mfa/mfatest"
	"sallyport/provider"
	"sallyport/web/apidocs"
	"sallyport/web/page"
	"sallyport/web/webtest"
)

const issuer = "https://id.example.com"

// files are the descriptions of all surfaces by the name of their package.
func files(t *testing.T) map[string]string {
	t.Helper()
	found, err := filepath.Glob("../*/openapi.yaml")
	if err != nil || len(found) < 2 {
		t.Fatalf("descriptions = %v, %v", found, err)
	}
	out := map[string]string{}
	for _, file := range found {
		out[filepath.Base(filepath.Dir(file))] = file
	}
	return out
}

// site serves the descriptions of all surfaces, and further ones.
type site struct{ *webtest.Fixture }

func newSite(t *testing.T, more ...apidocs.Description) site {
	t.Helper()
	h := site{webtest.New(t, time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), mfatest.Options{}, provider.Options{Issuer: issuer})}
	look, err := page.New(h.Keyring, page.Options{Issuer: issuer, Logger: h.Logger()}, apidocs.Files())
	h.OK(err)
	list := more
	for name, file := range files(t) {
		text, err := os.ReadFile(file)
		h.OK(err)
		list = append(list, apidocs.Description{Name: name, Text: text})
	}
	docs := apidocs.New(look, issuer, list...)
	h.OK(docs.Check())
	h.Serve(nil, look, docs)
	return h
}

func (h site) get(method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Origin", "https://anywhere.example")
	h.Handler.ServeHTTP(w, r)
	return w
}

// text returns the body of a page.
func (h site) text(path string) string {
	h.T.Helper()
	w := h.get(http.MethodGet, path)
	if w.Code != http.StatusOK {
		h.T.Fatalf("%s = %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}
