package cidaas

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sallyport/web/webtest"
)

// documentation is the description, read once for all tests.
var documentation = sync.OnceValues(func() (*openapi3.T, error) { return webtest.Description("openapi.yaml") })

// exercised are the operations of the description that a test has called with success.
var exercised sync.Map

// check validates the response to a call of the dialect. Refusals of addresses and methods that
// do not exist are not described.
func check(t testing.TB, verb, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	doc, err := documentation()
	if err != nil {
		t.Fatal(err)
	}
	template := webtest.Find(doc, path)
	item := doc.Paths.Value(template)
	missing := item == nil || item.GetOperation(verb) == nil
	switch {
	case verb == http.MethodOptions || missing && w.Code >= http.StatusBadRequest:
		return
	case strings.HasPrefix(w.Header().Get("Content-Type"), "application/json"):
		webtest.Validate(t, doc, webtest.Response{Method: verb, Path: path, Code: w.Code, Header: w.Header(), Raw: w.Body.Bytes()})
	case missing || item.GetOperation(verb).Responses.Status(w.Code) == nil:
		t.Fatalf("%s %s: %d without JSON is not described", verb, path, w.Code)
	}
	if w.Code < http.StatusBadRequest {
		exercised.Store(verb+" "+template, true)
	}
}

// TestMain checks, after all tests, that they called every operation with success.
func TestMain(m *testing.M) {
	code := m.Run()
	doc, err := documentation()
	if code == 0 && err == nil && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		for path, item := range doc.Paths.Map() {
			for verb := range item.Operations() {
				if _, ok := exercised.Load(verb + " " + path); !ok {
					fmt.Printf("FAIL: no test calls %s %s with success\n", verb, path)
					code = 1
				}
			}
		}
	}
	os.Exit(code)
}

func TestDescriptionNamesEveryCall(t *testing.T) {
	h := newFixture(t)
	doc, err := documentation()
	h.OK(err)
	calls := map[string]bool{"GET /authz-srv/authz": true, "POST /authz-srv/authz": true, "POST /login-srv/login": true, "POST /login-srv/verification/login": true,
		"POST /login-srv/precheck/continue/{trackId}": true, "GET /session/end_session": true, "POST /session/end_session": true,
		"POST /token-srv/token": true, "POST /token-srv/introspect": true, "POST /token-srv/revoke": true,
		"GET /users-srv/userinfo": true, "POST /users-srv/userinfo": true, "GET /.well-known/jwks.json": true}
	for _, at := range h.surface.routes() {
		parts := strings.Split(at.path, "/")
		for i, part := range parts {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		calls[at.verb+" "+strings.Join(parts, "/")] = true
	}
	for path, item := range doc.Paths.Map() {
		for verb := range item.Operations() {
			if !calls[verb+" "+path] {
				t.Errorf("%s %s is described and does not exist", verb, path)
			}
			delete(calls, verb+" "+path)
		}
	}
	if len(calls) > 0 {
		t.Errorf("calls without a description: %v", calls)
	}
}
