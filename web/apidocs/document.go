package apidocs

import (
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"sallyport/config/ordered"
)

// document is a description as the template shows it.
type document struct {
	Title   string
	Version string
	Intro   template.HTML
	Servers []server
	Schemes []scheme
	Groups  []*group
	Records []record
}

type server struct {
	Address string
	Meaning template.HTML
}

// scheme is a way to authenticate.
type scheme struct {
	Name, How string
	Meaning   template.HTML
	header    string // for curl
}

// group holds the calls with one tag, or of one path if they have none.
type group struct {
	Name, Anchor string
	Meaning      template.HTML
	Calls        []call
}

// record is a schema that several places refer to.
type record struct {
	Name, Anchor string
	Type         []Word
	Limits       []Limit
	Meaning      template.HTML
	Rows         []Row
	Example      string
}

// builder builds the document of a description.
type builder struct {
	*reader
	issuer string
	doc    document
}

// read returns the document of a description, or all its faults.
func read(text []byte, issuer string) (document, error) {
	r, err := newReader(text)
	if err != nil {
		return document{}, err
	}
	b := builder{reader: r, issuer: strings.TrimSuffix(issuer, "/")}
	b.head()
	inner := b.table("components", b.root.Get("components"))
	for _, p := range b.table("components.securitySchemes", inner.Get("securitySchemes")) {
		b.doc.Schemes = append(b.doc.Schemes, b.scheme(p.Key, p.Value))
	}
	b.groups()
	for _, p := range b.table("components.schemas", inner.Get("schemas")) {
		s := b.schema(p.Key, ordered.Map{{Key: "$ref", Value: components + p.Key}})
		if s.record() {
			b.doc.Records = append(b.doc.Records, b.record(s))
		}
	}
	if len(b.doc.Groups) == 0 {
		b.fault("paths", "there are no calls")
	}
	return b.doc, errors.Join(b.faults...)
}

func (b *builder) head() {
	if v := word(b.root.Get("openapi")); !strings.HasPrefix(v, "3.0.") && !strings.HasPrefix(v, "3.1.") {
		b.fault("openapi", "the version %q is neither 3.0 nor 3.1", v)
	}
	info := b.table("info", b.root.Get("info"))
	b.doc.Title, b.doc.Version, b.doc.Intro = word(info.Get("title")), word(info.Get("version")), markdown(word(info.Get("description")))
	if b.doc.Title == "" {
		b.fault("info", "there is no title")
	}
	for _, v := range b.list("servers", b.root.Get("servers")) {
		m := b.table("servers", v)
		b.doc.Servers = append(b.doc.Servers, server{b.absolute(word(m.Get("url"))), markdown(word(m.Get("description")))})
	}
	if len(b.doc.Servers) == 0 {
		b.doc.Servers = []server{{Address: b.issuer}}
	}
}

// absolute returns an address without a slash at its end; a path is one of the issuer's.
func (b *builder) absolute(address string) string {
	if address == "" || strings.HasPrefix(address, "/") {
		address = b.issuer + address
	}
	return strings.TrimSuffix(address, "/")
}

func (b *builder) scheme(name string, v any) scheme {
	m, _ := b.follow(name, v)
	s := scheme{Name: name, Meaning: markdown(word(m.Get("description")))}
	kind := word(m.Get("type"))
	if kind == "http" {
		kind = strings.ToLower(word(m.Get("scheme")))
	}
	switch at := word(m.Get("name")); kind {
	case "bearer":
		s.How, s.header = "Authorization: Bearer KEY", "-H 'Authorization: Bearer KEY'"
	case "basic":
		s.How, s.header = "HTTP basic authentication", "-u 'NAME:SECRET'"
	case "apiKey":
		s.How = fmt.Sprintf("%s %s", word(m.Get("in")), at)
		if word(m.Get("in")) == "header" {
			s.header = "-H " + quote(at+": KEY")
		}
	case "oauth2", "openIdConnect":
		s.How, s.header = "OAuth 2 access token", "-H 'Authorization: Bearer TOKEN'"
	default:
		b.fault("securitySchemes."+name, "the page cannot show the type %q", kind)
	}
	return s
}

// groups reads all calls, in the order of the tags, then of the paths.
func (b *builder) groups() {
	for _, v := range b.list("tags", b.root.Get("tags")) {
		tag := b.table("tags", v)
		b.group(word(tag.Get("name"))).Meaning = markdown(word(tag.Get("description")))
	}
	for _, path := range b.table("paths", b.root.Get("paths")) {
		item, _ := b.follow(path.Key, path.Value)
		for _, p := range item {
			switch p.Key {
			case "get", "put", "post", "delete", "options", "head", "patch", "trace":
				name := path.Key
				op := b.table(p.Key+" "+path.Key, p.Value)
				if tags := b.list(path.Key, op.Get("tags")); len(tags) > 0 {
					name = word(tags[0])
				}
				g := b.group(name)
				g.Calls = append(g.Calls, b.call(strings.ToUpper(p.Key), path.Key, op, b.list(path.Key, item.Get("parameters"))))
			case "parameters", "summary", "description", "servers":
			default:
				b.fault(path.Key, "the page cannot show %s", p.Key)
			}
		}
	}
	b.doc.Groups = slices.DeleteFunc(b.doc.Groups, func(g *group) bool { return len(g.Calls) == 0 })
}

// group returns the group of a name.
func (b *builder) group(name string) *group {
	for _, g := range b.doc.Groups {
		if g.Name == name {
			return g
		}
	}
	g := &group{Name: name, Anchor: slug("calls " + name)}
	b.doc.Groups = append(b.doc.Groups, g)
	return g
}

func (b *builder) record(s schema) record {
	inner := s
	inner.name = "" // or its type would be a link to itself
	return record{Name: s.name, Anchor: anchorOf(s.name), Type: b.kind(inner), Limits: b.limits(inner), Meaning: markdown(s.meaning),
		Rows: b.inside(inner, ""), Example: b.sample(s, false, "application/json")}
}

// sample returns an example of the content of a media type; "": it has no members to show.
func (b *builder) sample(s schema, short bool, media string) string {
	p := sampler{reader: b.reader, short: short}
	v, _ := p.value(s)
	return inMedia(v, media)
}

// inMedia writes a value as JSON or as a form.
func inMedia(v any, media string) string {
	switch m, _ := v.(ordered.Map); {
	case media == "application/x-www-form-urlencoded":
		form := make([]string, len(m))
		for i, p := range m {
			form[i] = url.QueryEscape(p.Key) + "=" + url.QueryEscape(word(p.Value))
		}
		return strings.Join(form, "&")
	case strings.Contains(media, "json"):
		return pretty(v)
	}
	return ""
}

// slug returns an anchor: letters, digits and dashes.
func slug(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	}), "-")
}
