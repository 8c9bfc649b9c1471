package stytch

import (
	"net/http"
	"strings"
	"testing"

	"sallyport/provider/apikeys"
)

func TestDescriptionNamesEveryCall(t *testing.T) {
	doc, err := documentation()
	if err != nil {
		t.Fatal(err)
	}
	h := newFixture(t)
	calls := map[string]bool{"GET /v1/sessions/jwks/{project_id}": true}
	for _, at := range h.surface.routes() {
		var path []string
		for part := range strings.SplitSeq(at.path, "/") {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				part = "{" + name + "}"
			}
			path = append(path, part)
		}
		calls[at.verb+" "+strings.Join(path, "/")] = true
		if at.verb == http.MethodGet && at.access != apikeys.VerbRead {
			t.Errorf("%s needs more than the verb read", at.path)
		}
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

// Every call of the description was made with success by the tests of this package, each of
// which validates its responses.
func TestZEveryCallWasMade(t *testing.T) {
	doc, err := documentation()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	exercised.Range(func(any, any) bool { ran++; return true })
	if ran < 2 {
		t.Skip("the other tests did not run")
	}
	for path, item := range doc.Paths.Map() {
		for verb := range item.Operations() {
			if _, ok := exercised.Load(verb + " " + path); !ok {
				t.Errorf("no test calls %s %s", verb, path)
			}
		}
	}
}
