package webtest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// Description reads an OpenAPI description and validates it.
func Description(file string) (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(file)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
}

// Response is the response to a call.
type Response struct {
	Method, Path string
	Code         int
	Header       http.Header
	Raw          []byte
}

// Validate checks a response against a description: call, status, media type and body must
// be described, and the body must have no other members. It returns the path of the
// description.
func Validate(t testing.TB, doc *openapi3.T, a Response) string {
	t.Helper()
	path := Find(doc, a.Path)
	item := doc.Paths.Value(path)
	if item == nil || item.GetOperation(a.Method) == nil {
		t.Fatalf("%s %s is not described", a.Method, a.Path)
	}
	responses := item.GetOperation(a.Method).Responses
	response := responses.Status(a.Code)
	if response == nil && a.Code >= 400 {
		response = responses.Default()
	}
	if response == nil {
		t.Fatalf("%s %s: status %d is not described", a.Method, a.Path, a.Code)
	}
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	media := response.Value.Content.Get(kind)
	if media == nil {
		t.Fatalf("%s %s: %d %q is not described", a.Method, a.Path, a.Code, kind)
	}
	var body any
	if err := json.Unmarshal(a.Raw, &body); err != nil {
		t.Fatalf("%s %s: %d %s: %v", a.Method, a.Path, a.Code, a.Raw, err)
	}
	if err := media.Schema.Value.VisitJSON(body, openapi3.VisitAsResponse()); err != nil {
		t.Fatalf("%s %s: %d %s: %v", a.Method, a.Path, a.Code, a.Raw, err)
	}
	if extra := undescribed("", media.Schema.Value, body); len(extra) > 0 {
		t.Fatalf("%s %s: members that are not described: %v", a.Method, a.Path, extra)
	}
	return path
}

// Find returns the path of a description whose template matches; "": none.
func Find(doc *openapi3.T, path string) string {
	if doc.Paths.Value(path) != nil {
		return path
	}
	have := strings.Split(path, "/")
	for template := range doc.Paths.Map() {
		want := strings.Split(template, "/")
		fits := len(want) == len(have)
		for i := 0; fits && i < len(want); i++ {
			fits = want[i] == have[i] || strings.HasPrefix(want[i], "{")
		}
		if fits {
			return template
		}
	}
	return ""
}

func undescribed(at string, schema *openapi3.Schema, value any) []string {
	var out []string
	switch v := value.(type) {
	case map[string]any:
		if len(schema.Properties) == 0 {
			return nil // left open
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
		if schema.Items == nil {
			return nil
		}
		for _, member := range v {
			out = append(out, undescribed(at+"[]", schema.Items.Value, member)...)
		}
	}
	return out
}
