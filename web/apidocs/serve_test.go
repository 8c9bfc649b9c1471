package apidocs_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sallyport/web/apidocs"
)

const small = "openapi: 3.1.0\ninfo: {title: Small, version: 1.0.0}\npaths:\n  /x: {get: {operationId: x, responses: {\"204\": {description: Done}}}}\n"

func TestPagesAndDescriptionsAreServed(t *testing.T) {
	h := newSite(t, apidocs.Description{Name: "small", Text: []byte(small), Also: "/small/v1/openapi.yaml"})
	for path, want := range map[string][3]string{ // type, caching, origins that may read it
		"/docs/api":                    {"text/html; charset=utf-8", "private, max-age=300", ""},
		"/docs/api/small":              {"text/html; charset=utf-8", "private, max-age=300", ""},
		"/docs/api/small/openapi.yaml": {"application/yaml", "public, max-age=300", "*"},
		"/small/v1/openapi.yaml":       {"application/yaml", "public, max-age=300", "*"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			w := h.get(method, path)
			got := [3]string{w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"), w.Header().Get("Access-Control-Allow-Origin")}
			if w.Code != http.StatusOK || got != want {
				t.Errorf("%s %s = %d %v, want %v", method, path, w.Code, got, want)
			}
			if want[0] == "application/yaml" && method == http.MethodGet && w.Body.String() != small {
				t.Errorf("%s = %s", path, w.Body)
			}
			if len(w.Result().Cookies()) > 0 {
				t.Errorf("%s %s sets cookies", method, path)
			}
		}
		if w := h.get(http.MethodPost, path); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s = %d", path, w.Code)
		}
	}
	for _, path := range []string{"/docs/api/none", "/docs/api/none/openapi.yaml", "/docs/api/small/other", "/docs/api/..%2f..%2fetc"} {
		if w := h.get(http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s = %d", path, w.Code)
		}
	}
}

func TestTheListHasEveryAPI(t *testing.T) {
	h := newSite(t)
	list := h.text("/docs/api")
	if !strings.Contains(list, `<html lang="en">`) {
		t.Error("the language of the list is not English")
	}
	for name, file := range files(t) {
		text, err := os.ReadFile(file)
		h.OK(err)
		doc, err := openapi3.NewLoader().LoadFromData(text)
		h.OK(err)
		if !strings.Contains(list, `<a href="/docs/api/`+name+`">`+doc.Info.Title+`</a>`) || !strings.Contains(list, `href="/docs/api/`+name+`/openapi.yaml"`) {
			t.Errorf("the list lacks %s", name)
		}
	}
}
