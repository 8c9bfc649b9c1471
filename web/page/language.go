package page

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"

	"sallyport/web"
)

const languageRoute = "/language"

// Language is a language that a user can choose.
type Language struct {
	Tag  string
	Name string // in the language itself
}

// Languages are the languages of the pages.
func (p Page) Languages() ([]Language, error) {
	out := make([]Language, len(p.languages))
	for i, tag := range p.languages {
		name, err := p.catalogue.in(tag).say("language.name", nil)
		if err != nil {
			return nil, err
		}
		out[i] = Language{Tag: tag, Name: name}
	}
	return out, nil
}

// chooseLanguage remembers a language and returns to the page it was chosen on. It needs no
// CSRF token, which pages without a cookie do not have: a language is no secret.
func (l *Look) chooseLanguage(c *gin.Context) {
	if l.fromHere(c.Request) {
		web.ChooseLanguage(c, c.PostForm("lang"))
	}
	to := c.PostForm("to")
	if !isPlace(to) {
		to = "/"
	}
	Redirect(c, to)
}

// isPlace reports whether an address is a path of this server, with or without a query.
func isPlace(to string) bool {
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") &&
		!strings.ContainsFunc(to, func(r rune) bool { return r == '\\' || unicode.IsControl(r) })
}

// harmless are the parameters that a page may repeat in a form. Others may hold a token, or
// the address of another site.
var harmless = []string{"requestId", "client_id", "method", "authenticator", "id", "kind", "then", "done", "error", "ui_locales", "sent", "pending", "codes", "user_code"}

// here is the address at which a GET shows a page again; "": a page may not repeat it.
func here(c *gin.Context) string {
	for name := range web.Query(c) {
		if !slices.Contains(harmless, name) {
			return ""
		}
	}
	return Place(c)
}

// Place is the address at which a GET shows a page again: that of the request, without the
// parameters to drop. Of a form it has what identifies a page.
func Place(c *gin.Context, drop ...string) string {
	q := maps.Clone(web.Query(c))
	if c.Request.Method == http.MethodPost {
		for _, name := range []string{"requestId", "client_id", "method", "authenticator", "id", "kind"} {
			if v := c.PostForm(name); v != "" {
				q.Set(name, v)
			}
		}
	}
	for _, name := range drop {
		q.Del(name)
	}
	if len(q) == 0 {
		return c.Request.URL.EscapedPath()
	}
	return c.Request.URL.EscapedPath() + "?" + q.Encode()
}
