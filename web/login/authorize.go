package login

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
)

// longestQuery is up to where parameters of a POST may travel in an address.
const longestQuery = 6 << 10

// authorize is the authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core
// section 3.1.2.1): GET, or POST with a form.
func (p *Pages) authorize(c *gin.Context) {
	t := turn{}
	in := provider.Params{Query: c.Request.URL.Query()}
	if c.Request.Method == http.MethodPost {
		in.Form = c.Request.PostForm
	}
	if cookieless(c) {
		p.again(c, joined(in))
		return
	}
	web.Bind(c)
	t.visit = web.Visit(c)
	t.visit.Locale = web.Locale(c, strings.Fields(in.Query.Get("ui_locales")+" "+in.Form.Get("ui_locales"))...)
	var err error
	if t.signedIn, err = page.SignedIn(c, p.sessions); err != nil {
		p.fail(c, t, err)
		return
	}
	begun, err := p.provider.Begin(c.Request.Context(), in, t.visit, t.signedIn)
	var refused *provider.PageError
	switch {
	case errors.As(err, &refused):
		p.look.Write(c, http.StatusBadRequest, "oauth_error", p.page(c, t, describe(refused)))
	case err != nil:
		p.fail(c, t, err)
	case begun.Answer != nil:
		p.answer(c, t, *begun.Answer)
	case begun.Finished != nil:
		p.finished(c, t, *begun.Finished)
	default:
		t.step = begun.Step
		p.proceed(c, t)
	}
}

// joined are all parameters of a call. What stands twice still does, and is refused.
func joined(in provider.Params) url.Values {
	all := url.Values{}
	for _, part := range []url.Values{in.Query, in.Form} {
		for name, values := range part {
			if name != "resent" {
				all[name] = append(all[name], values...)
			}
		}
	}
	return all
}

// again lets the browser come once more: as a GET it brings our cookies, and as a form
// of ours. The latter is for what must not be in an address, where logs keep it, and
// what is too long for one. Without the cookies the person would be asked to sign in
// again.
func (p *Pages) again(c *gin.Context, form url.Values) {
	if query := form.Encode(); !form.Has("id_token_hint") && len(query) <= longestQuery {
		page.Redirect(c, "/authorize?"+query)
		return
	}
	t := turn{}
	t.visit.Locale = web.Locale(c, strings.Fields(form.Get("ui_locales"))...)
	p.answer(c, t, provider.Answer{FormPost: &provider.FormPost{Action: "/authorize?" + page.Resent, Fields: page.Fields(form)}})
}

// describe writes a refusal as "code: parameter description", for the people who
// build the client.
func describe(e *provider.PageError) string {
	text := e.Code + ":"
	if e.Parameter != "" && !strings.Contains(e.Description, e.Parameter) {
		text += " " + e.Parameter
	}
	return strings.TrimSuffix(text+" "+e.Description, ": ")
}
