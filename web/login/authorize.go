package login

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// longestQuery is the length up to which the parameters of a POST fit into an address.
const longestQuery = 6 << 10

// authorize is the authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core
// section 3.1.2.1): GET, or POST with a form.
func (p *Pages) authorize(c *gin.Context) {
	call := signin.Call{}
	in := provider.Params{Query: web.Query(c)}
	if c.Request.Method == http.MethodPost {
		in.Form = c.Request.PostForm
	}
	if cookieless(c) {
		p.resend(c, joined(in))
		return
	}
	web.Bind(c)
	call.Caller = web.Caller(c)
	call.Caller.Locale = web.Locale(c, strings.Fields(in.Query.Get("ui_locales")+" "+in.Form.Get("ui_locales"))...)
	var err error
	if call.SignedIn, err = signin.Session(c, p.sessions); err != nil {
		p.fail(c, call, err)
		return
	}
	start, err := p.provider.Begin(c.Request.Context(), in, call.Caller, call.SignedIn)
	var refused *provider.PageError
	switch {
	case errors.As(err, &refused):
		p.look.Write(c, http.StatusBadRequest, "oauth_error", p.page(c, call, p.describe(refused)))
	case err != nil:
		p.fail(c, call, err)
	case start.Answer != nil:
		p.answer(c, call, *start.Answer)
	case start.Finished != nil:
		p.finished(c, call, *start.Finished)
	default:
		call.Step = start.Step
		if call.Step.Kind == provider.StepIdentify && call.Step.Creates() && call.Step.LoginPage == "" {
			page.Redirect(c, page.Path(signUpPath, call.Step.Request.Address(), call.Step.Client.ID))
			return
		}
		p.proceed(c, call)
	}
}

// joined are all parameters of a request. A repeated one stays repeated and is refused.
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

// resend makes the browser send a request again, with cookies: without them the user would
// have to sign in again. It is a redirect or, for parameters that are too long for an
// address or must not be in one, where logs keep it, a form that posts itself.
func (p *Pages) resend(c *gin.Context, form url.Values) {
	if query := form.Encode(); !form.Has("id_token_hint") && len(query) <= longestQuery {
		page.Redirect(c, "/authorize?"+query)
		return
	}
	call := signin.Call{}
	call.Caller.Locale = web.Locale(c, strings.Fields(form.Get("ui_locales"))...)
	p.answer(c, call, provider.Answer{FormPost: &provider.FormPost{Action: "/authorize?" + page.Resent, Fields: page.Fields(form)}})
}

// describe formats a refusal for the developers of the client, who see on their own machine what
// would have been right.
func (p *Pages) describe(e *provider.PageError) string {
	text := describe(e)
	if !p.verbose || len(e.Registered) == 0 {
		return text
	}
	return text + ". It is " + strconv.Quote(e.Value) + "; registered: " + strings.Join(e.Registered, ", ")
}

// describe formats a refusal as "code: parameter description".
func describe(e *provider.PageError) string {
	text := e.Code + ":"
	if e.Parameter != "" && !strings.Contains(e.Description, e.Parameter) {
		text += " " + e.Parameter
	}
	return strings.TrimSuffix(text+" "+e.Description, ": ")
}
