package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sallyport/mfa"
)

// description reads the description once for all tests, as it is served.
var description = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

// described holds an answer against the description: the status is named, the type is,
// the body fits, and nothing in it is undescribed.
func described(t testing.TB, path string, r reply) {
	t.Helper()
	doc, err := description()
	if err != nil {
		t.Fatal(err)
	}
	item := doc.Paths.Find(base + path)
	if item == nil || item.Post == nil {
		t.Fatalf("%s is not described", path)
	}
	response := item.Post.Responses.Status(r.code)
	if response == nil {
		t.Fatalf("%s: status %d is not described", path, r.code)
	}
	kind, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	media := response.Value.Content.Get(kind)
	if media == nil {
		t.Fatalf("%s: %d %s is not described", path, r.code, kind)
	}
	if err := media.Schema.Value.VisitJSON(r.body, openapi3.VisitAsResponse()); err != nil {
		t.Fatalf("%s: %d %s: %v", path, r.code, r.raw, err)
	}
	if extra := undescribed("", media.Schema.Value, r.body); len(extra) > 0 {
		t.Fatalf("%s: members that are not described: %v", path, extra)
	}
}

func undescribed(at string, schema *openapi3.Schema, value any) []string {
	var out []string
	switch v := value.(type) {
	case map[string]any:
		if len(schema.Properties) == 0 {
			return nil // a method's own
		}
		for name, member := range v {
			known := schema.Properties[name]
			if known == nil {
				out = append(out, at+"."+name)
				continue
			}
			out = append(out, undescribed(at+"."+name, known.Value, member)...)
		}
	case []any:
		for _, member := range v {
			out = append(out, undescribed(at+"[]", schema.Items.Value, member)...)
		}
	}
	return out
}

func TestTheDescriptionNamesEveryCallAndEveryCode(t *testing.T) {
	h := newHouse(t)
	doc, err := description()
	h.ok(err)
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
	want := []string{"/cancel", "/consent", "/enroll", "/enroll/confirm", "/finish", "/identify", "/initiate", "/password", "/recovery-codes/seen",
		"/requests", "/restart", "/step", "/verify"}
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

func TestTheDescriptionIsServed(t *testing.T) {
	h := newHouse(t)
	r := (&caller{h: h, origin: "https://anywhere.example"}).do(httptest.NewRequest(http.MethodGet, base+"/openapi.yaml", nil))
	doc, err := openapi3.NewLoader().LoadFromData([]byte(r.raw))
	h.ok(err)
	if r.code != http.StatusOK || r.header.Get("Content-Type") != "application/yaml" || r.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("answer = %s %v", strconv.Itoa(r.code), r.header)
	}
	if doc.Info.Version == "" {
		t.Error("the description has no version")
	}
}
