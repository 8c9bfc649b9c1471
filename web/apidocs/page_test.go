package apidocs_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"golang.org/x/net/html"

	"sallyport/web/webtest"
)

// part is an element with an id.
type part struct {
	text  string
	codes []string // texts of code elements
	links []string
	pres  []string // examples
}

// parts returns the sections of a page by id.
func parts(t *testing.T, page string) map[string]*part {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*part{}
	for n := range root.Descendants() {
		id := attribute(n, "id")
		if n.Data != "section" || id == "" {
			continue
		}
		if out[id] != nil {
			t.Errorf("two sections have the id %s", id)
		}
		p := &part{text: textOf(n)}
		for m := range n.Descendants() {
			switch m.Data {
			case "code":
				p.codes = append(p.codes, textOf(m))
			case "pre":
				p.pres = append(p.pres, textOf(m))
			case "a":
				p.links = append(p.links, attribute(m, "href"))
			}
		}
		out[id] = p
	}
	return out
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name && n.Type == html.ElementNode {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for m := range n.Descendants() {
		if m.Type == html.TextNode {
			b.WriteString(m.Data)
		}
	}
	return b.String()
}

// walker looks for the parts of a schema in a section.
type walker struct {
	t    *testing.T
	at   string
	part *part
}

// schema looks for the members and values of a schema, or for the link to its record.
func (w walker) schema(ref *openapi3.SchemaRef, link bool) {
	if ref == nil {
		return
	}
	name, component := strings.CutPrefix(ref.Ref, "#/components/schemas/")
	s := ref.Value
	if component && link && (len(s.Properties) > 0 || s.AdditionalProperties.Schema != nil || len(s.AllOf) > 1 || len(s.OneOf) > 0) {
		if !slices.Contains(w.part.links, "#record-"+name) {
			w.t.Errorf("%s has no link to %s", w.at, name)
		}
		return
	}
	for name, member := range s.Properties {
		if !slices.ContainsFunc(w.part.codes, func(c string) bool { return c == name || strings.HasSuffix(c, "."+name) }) {
			w.t.Errorf("%s lacks the member %s", w.at, name)
		}
		w.schema(member, true)
	}
	for _, v := range s.Enum {
		if text, ok := v.(string); ok && !slices.Contains(w.part.codes, text) {
			w.t.Errorf("%s lacks the value %s", w.at, text)
		}
	}
	w.schema(s.Items, true)
	w.schema(s.AdditionalProperties.Schema, true)
	for _, p := range s.AllOf {
		w.schema(p, len(s.AllOf) == 1)
	}
	for _, p := range s.OneOf {
		w.schema(p, true)
	}
}

func (w walker) content(content openapi3.Content, link bool) {
	for media, m := range content {
		if !slices.Contains(w.part.codes, media) {
			w.t.Errorf("%s lacks the media type %s", w.at, media)
		}
		w.schema(m.Schema, link)
	}
}

func (w walker) operation(method, path string, item *openapi3.PathItem, op *openapi3.Operation) {
	if !slices.Contains(w.part.codes, path) || !strings.Contains(w.part.text, method) || !strings.Contains(w.part.text, op.Summary) {
		w.t.Errorf("%s lacks its address or summary", w.at)
	}
	for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
		if !slices.Contains(w.part.codes, p.Value.Name) {
			w.t.Errorf("%s lacks the parameter %s", w.at, p.Value.Name)
		}
		w.schema(p.Value.Schema, true)
	}
	if op.RequestBody != nil {
		w.content(op.RequestBody.Value.Content, false)
	}
	words := strings.Fields(w.part.text)
	for status, r := range op.Responses.Map() {
		if !slices.Contains(words, status) {
			w.t.Errorf("%s lacks the status %s", w.at, status)
		}
		for name := range r.Value.Headers {
			if !slices.Contains(w.part.codes, name) {
				w.t.Errorf("%s lacks the header %s", w.at, name)
			}
		}
		w.content(r.Value.Content, true)
	}
}

func TestEveryPartOfADescriptionIsOnItsPage(t *testing.T) {
	h := newSite(t)
	for name, file := range files(t) {
		doc, err := webtest.Description(file)
		h.OK(err)
		page := parts(t, h.text("/docs/api/"+name))
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				w := walker{t, name + ": " + op.OperationID, page[op.OperationID]}
				if w.part == nil {
					t.Errorf("the page lacks %s", w.at)
					continue
				}
				w.operation(method, path, item, op)
			}
		}
		for component, s := range doc.Components.Schemas {
			if p := page["record-"+component]; p != nil {
				walker{t, name + ": " + component, p}.schema(s, false)
			}
		}
		for id, p := range page {
			for _, link := range p.links {
				if target, here := strings.CutPrefix(link, "#"); here && page[target] == nil && !strings.HasPrefix(target, "scheme-") {
					t.Errorf("%s: %s links to %s, which does not exist", name, id, link)
				}
			}
		}
	}
}

// An example that the server would refuse is worse than none.
func TestExamplesFitTheirSchemas(t *testing.T) {
	h, checked := newSite(t), 0
	for name, file := range files(t) {
		doc, err := webtest.Description(file)
		h.OK(err)
		page := parts(t, h.text("/docs/api/"+name))
		check := func(at, text string, s *openapi3.SchemaRef, as openapi3.SchemaValidationOption) {
			var value any
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				t.Errorf("%s %s: %v in %s", name, at, err, text)
				return
			}
			checked++
			if err := s.Value.VisitJSON(value, as); err != nil {
				t.Errorf("%s %s: %v", name, at, err)
			}
		}
		for component, s := range doc.Components.Schemas {
			if p := page["record-"+component]; p != nil {
				check(component, p.pres[0], s, openapi3.VisitAsResponse())
			}
		}
		for _, item := range doc.Paths.Map() {
			for _, op := range item.Operations() {
				p := page[op.OperationID]
				if p != nil && strings.Contains(p.pres[0], "Content-Type: application/json'") {
					_, data, _ := strings.Cut(p.pres[0], "-d '")
					data = strings.ReplaceAll(strings.TrimSuffix(data, "'"), `'\''`, "'")
					check(op.OperationID, data, op.RequestBody.Value.Content.Get("application/json").Schema, openapi3.VisitAsRequest())
				}
				for status, r := range op.Responses.Map() {
					media, p := r.Value.Content.Get("application/json"), page[op.OperationID+"-"+status]
					if media != nil && p != nil {
						check(op.OperationID+" "+status, p.pres[0], media.Schema, openapi3.VisitAsResponse())
					}
				}
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d examples of %v were checked", checked, slices.Sorted(maps.Keys(files(t))))
	}
}
