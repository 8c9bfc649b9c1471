package apidocs

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"sallyport/web"
	"sallyport/web/page"
)

// base is the address of the list.
const base = "/docs/api"

// Description is an API with its OpenAPI description.
type Description struct {
	Name string // in addresses: /docs/api/NAME, /docs/api/NAME/openapi.yaml
	Text []byte
	Also string // another address of the text; "": none
}

// Surface serves the descriptions.
type Surface struct {
	look   *page.Look
	issuer string
	serve  []Description
	reads  *cors.Cors                 // for all pages
	pages  func() ([]rendered, error) // rendered by the first request: reading takes a while
}

// rendered is an API with its page.
type rendered struct {
	Name, Title, Version string
	Intro, Body          template.HTML
}

var (
	//go:embed templates static
	embedded embed.FS
	//go:embed parts
	parts embed.FS
)

var _ web.Sharer = (*Surface)(nil)

// Files are the templates and styles of the pages, for page.New.
func Files() fs.FS { return embedded }

// New returns the surface. Examples call the server at the issuer.
func New(look *page.Look, issuer string, descriptions ...Description) *Surface {
	s := &Surface{look: look, issuer: issuer, serve: descriptions, reads: web.AnyOrigin()}
	s.pages = sync.OnceValues(s.render)
	return s
}

// Check renders all pages and returns the first fault of a description.
func (s *Surface) Check() error {
	_, err := s.pages()
	return err
}

func (s *Surface) render() ([]rendered, error) {
	body, err := template.ParseFS(parts, "parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var out []rendered
	for _, d := range s.serve {
		doc, err := read(d.Text, s.issuer)
		if err != nil {
			return nil, fmt.Errorf("description of %s: %w", d.Name, err)
		}
		var b bytes.Buffer
		if err := body.ExecuteTemplate(&b, "document.html", doc); err != nil {
			return nil, fmt.Errorf("render description of %s: %w", d.Name, err)
		}
		out = append(out, rendered{d.Name, doc.Title, doc.Version, doc.Intro, template.HTML(b.String())})
	}
	return out, nil
}

// Mount adds the list, the pages and the texts. Every page of another site may read a text.
func (s *Surface) Mount(r gin.IRouter) {
	pages := r.Group("", web.Isolated)
	pages.GET(base, s.page(func(all []rendered) (string, any) { return "apis", all }))
	for i, d := range s.serve {
		pages.GET(base+"/"+d.Name, s.page(func(all []rendered) (string, any) { return "api", all[i] }))
		for _, path := range d.texts() {
			r.GET(path, func(c *gin.Context) {
				c.Header("Cache-Control", "public, max-age=300")
				c.Data(http.StatusOK, "application/yaml", d.Text) // RFC 9512
			})
		}
	}
}

// texts are the addresses of the description as it was written.
func (d Description) texts() []string {
	if d.Also == "" {
		return []string{base + "/" + d.Name + "/openapi.yaml"}
	}
	return []string{base + "/" + d.Name + "/openapi.yaml", d.Also}
}

// Shared lets every page read the texts.
func (s *Surface) Shared(path string) *cors.Cors {
	for _, d := range s.serve {
		if slices.Contains(d.texts(), path) {
			return s.reads
		}
	}
	return nil
}

// page serves a page in English, the language of the descriptions. Its nonce is of this
// response, so only the browser may keep it.
func (s *Surface) page(choose func([]rendered) (name string, data any)) gin.HandlerFunc {
	return func(c *gin.Context) {
		all, err := s.pages()
		if err != nil {
			code, alert := s.look.Unexpected(c, err)
			v := s.look.Page(c, "en", nil)
			v.Alert = &alert
			s.look.Write(c, code, "apis_error", v)
			return
		}
		name, data := choose(all)
		c.Header("Cache-Control", "private, max-age=300")
		v := s.look.Page(c, "en", data)
		v.Here = "" // there is no other language
		s.look.Write(c, http.StatusOK, name, v)
	}
}
