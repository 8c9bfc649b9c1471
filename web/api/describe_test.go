package api_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sallyport/mfa"
	"sallyport/web/webtest"
)

// description is the served description, read once for all tests.
var description = sync.OnceValues(func() (*openapi3.T, error) { return webtest.Description("openapi.yaml") })

// described validates a response against the description.
func described(t testing.TB, path string, r reply) {
	t.Helper()
	doc, err := description()
	if err != nil {
		t.Fatal(err)
	}
	webtest.Validate(t, doc, webtest.Response{Method: http.MethodPost, Path: base + path, Code: r.code, Header: r.header, Raw: []byte(r.raw)})
}

func TestDescriptionNamesEveryCallAndEveryCode(t *testing.T) {
	h := newFixture(t)
	doc, err := description()
	h.OK(err)
	var paths []string
	for path := range doc.Paths.Map() {
		paths = append(paths, strings.TrimPrefix(path, base))
		if r := h.app().do(httptest.NewRequest(http.MethodPost, path, nil)); r.code != http.StatusUnsupportedMediaType {
			t.Errorf("%s without a type = %d, want 415", path, r.code)
		}
		if r := h.app().do(httptest.NewRequest(http.MethodGet, path, nil)); r.code != http.StatusMethodNotAllowed {
			t.Errorf("GET %s = %d, want 405", path, r.code)
		}
	}
	sort.Strings(paths)
	want := []string{"/cancel", "/consent", "/delivery", "/enroll", "/enroll/code", "/enroll/confirm", "/finish", "/identify", "/initiate", "/password", "/password/forgot", "/password/reset", "/recovery-codes/seen",
		"/requests", "/restart", "/signup", "/signup/code", "/signup/create", "/signup/passkey", "/step", "/verify"}
	if !slices.Equal(paths, want) {
		t.Errorf("described = %v, want %v", paths, want)
	}
	text := doc.Components.Schemas["Problem"].Value.Properties["code"].Value.Description
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,.\n`", r) })
	for _, code := range mfa.Codes() {
		if !slices.Contains(words, string(code)) {
			t.Errorf("code %s is not described", code)
		}
	}
	for _, step := range []string{"identify", "verify", "enroll", "recovery", "consent", "done", "refused", "over"} {
		if !slices.Contains(doc.Components.Schemas["Step"].Value.Properties["step"].Value.Enum, any(step)) {
			t.Errorf("step %s is not described", step)
		}
	}
}
