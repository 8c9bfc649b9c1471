package apidocs

import (
	"html/template"
	"strings"

	"sallyport/config/ordered"
)

// call is an operation of a description.
type call struct {
	Anchor, Method, Path, Title string
	Meaning                     template.HTML
	Deprecated                  bool
	Auth                        [][]string // alternatives, each with the schemes it needs; empty: none
	Open                        bool       // may be made without authentication
	Parameters                  []Row
	Required                    bool // the body
	Bodies                      []body
	Responses                   []response
	Curl                        string
}

// body is the content of a request or response in one media type.
type body struct {
	Media   string
	Type    []Word
	Limits  []Limit
	Meaning template.HTML
	Rows    []Row
	Example string
}

// response is the response with some statuses.
type response struct {
	Anchor   string
	Statuses []string
	Meaning  template.HTML
	Headers  []Row
	Bodies   []body
	ref      string
}

func (b *builder) call(method, path string, op ordered.Map, shared []any) call {
	at := method + " " + path
	c := call{Method: method, Path: path, Title: word(op.Get("summary")), Meaning: markdown(word(op.Get("description"))), Deprecated: truth(op.Get("deprecated"))}
	c.Anchor = slug(word(op.Get("operationId")))
	if c.Anchor == "" {
		c.Anchor = slug(at)
	}
	if c.Title == "" {
		c.Title = at
	}
	b.auth(&c, op)
	example := request{builder: b, call: &c}
	for _, v := range append(shared, b.list(at, op.Get("parameters"))...) {
		b.parameter(&c, &example, v)
	}
	content, _ := b.follow(at, op.Get("requestBody"))
	c.Required = truth(content.Get("required"))
	c.Bodies = b.bodies(at+" request", content, true)
	for _, p := range b.table(at, op.Get("responses")) {
		b.response(&c, at+" "+p.Key, p.Key, p.Value)
	}
	if len(c.Responses) == 0 {
		b.fault(at, "there are no responses")
	}
	c.Curl = example.curl()
	return c
}

// auth reads what a call demands: its own demands, or those of the description.
func (b *builder) auth(c *call, op ordered.Map) {
	demands := op.Get("security")
	if demands == nil {
		demands = b.root.Get("security")
	}
	for _, v := range b.list(c.Path, demands) {
		var names []string
		for _, p := range b.table(c.Path, v) {
			if b.known(p.Key) == nil {
				b.fault(c.Method+" "+c.Path, "there is no security scheme %s", p.Key)
			}
			names = append(names, p.Key)
		}
		if len(names) > 0 {
			c.Auth = append(c.Auth, names)
		} else {
			c.Open = true
		}
	}
}

// known returns the scheme of a name, or nil.
func (b *builder) known(name string) *scheme {
	for i := range b.doc.Schemes {
		if b.doc.Schemes[i].Name == name {
			return &b.doc.Schemes[i]
		}
	}
	return nil
}

func (b *builder) parameter(c *call, example *request, v any) {
	m, _ := b.follow(c.Path, v)
	name, in := word(m.Get("name")), word(m.Get("in"))
	if name == "" || in == "" {
		b.fault(c.Method+" "+c.Path, "a parameter needs name and in")
		return
	}
	row := b.named(name, m)
	row.In, row.Required = in, row.Required || in == "path"
	c.Parameters = append(c.Parameters, row)
	if row.Required {
		example.add(name, in, b.value(m, name))
	}
}

// named returns a parameter or header.
func (b *builder) named(name string, m ordered.Map) Row {
	row := b.row(name, b.schema(name, m.Get("schema")), truth(m.Get("required")))
	if text := word(m.Get("description")); text != "" {
		row.Meaning = markdown(text)
	}
	if truth(m.Get("deprecated")) {
		row.Limits = append(row.Limits, Limit{Text: "deprecated"})
	}
	return row
}

// value returns the example of a parameter, or its name in capitals.
func (b *builder) value(m ordered.Map, name string) string {
	s := b.schema(name, m.Get("schema"))
	if v := m.Get("example"); v != nil {
		return word(v)
	}
	if len(s.samples) == 0 && s.limits == nil {
		return strings.ToUpper(name)
	}
	p := sampler{reader: b.reader}
	v, _ := p.value(s)
	return word(v)
}

// bodies reads the content of a request or response.
func (b *builder) bodies(at string, m ordered.Map, short bool) []body {
	var out []body
	for _, p := range b.table(at, m.Get("content")) {
		media := b.table(at, p.Value)
		s := b.schema(at, media.Get("schema"))
		one := body{Media: p.Key, Type: b.kind(s), Limits: b.limits(s), Meaning: markdown(s.meaning), Example: b.sample(s, short, p.Key)}
		if v := media.Get("example"); v != nil {
			one.Example = inMedia(v, p.Key)
		}
		for _, e := range b.table(at, media.Get("examples")) {
			shown, _ := b.follow(at, e.Value)
			one.Example = inMedia(shown.Get("value"), p.Key)
			break
		}
		if short {
			s.name = "" // the members of a request are shown with its call
		}
		one.Rows = b.inside(s, "")
		out = append(out, one)
	}
	return out
}

// response adds a response, to the one before if both are the same component.
func (b *builder) response(c *call, at, status string, v any) {
	m, ref := b.follow(at, v)
	for i := range c.Responses {
		if ref != "" && c.Responses[i].ref == ref {
			c.Responses[i].Statuses = append(c.Responses[i].Statuses, status)
			return
		}
	}
	one := response{Anchor: c.Anchor + "-" + status, Statuses: []string{status}, Meaning: markdown(word(m.Get("description"))), Bodies: b.bodies(at, m, false), ref: ref}
	for _, p := range b.table(at, m.Get("headers")) {
		header, _ := b.follow(at, p.Value)
		one.Headers = append(one.Headers, b.named(p.Key, header))
	}
	c.Responses = append(c.Responses, one)
}
