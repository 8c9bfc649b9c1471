package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/reset"
	"sallyport/mfa/ticket"
	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/problem"
	"sallyport/web/signin"
)

// ResetPath is where links of messages lead; the secret of a link follows.
const ResetPath = "/reset/"

// WithResets returns the pages with those for forgotten passwords; nil: nobody can reset one.
func (p *Pages) WithResets(r *reset.Resets) *Pages {
	with := *p
	with.resets = r
	return &with
}

// mountResets adds the pages for forgotten passwords. They need no login: a link is opened in any
// browser, long after its login ended.
func (p *Pages) mountResets(r gin.IRouter) {
	r.GET("/forgot", p.resetting(p.forgotForm))
	r.POST("/forgot", p.guarded(p.resetting(p.forgot)))
	r.GET("/forgot/code", p.resetting(p.sentForm(forgotten)))
	r.POST("/forgot/code", p.guarded(p.resetting(p.resetCode)))
	r.GET(ResetPath+":link", p.resetting(p.resetForm))
	r.GET("/reset", p.resetting(p.forgotForm))
	r.POST("/reset", p.guarded(p.resetting(p.reset)))
	r.GET("/password-changed", p.resetting(p.passwordChanged))
}

// resetting passes on if passwords can be reset.
func (p *Pages) resetting(h gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		if p.resets == nil {
			p.failure(c, signin.Call{}, http.StatusNotFound, page.Alert{Key: "forgot.off"}, true)
			return
		}
		h(c)
	}
}

// outside prepares the data of a page that needs no login, but leads back to it.
func (p *Pages) outside(c *gin.Context, back ticket.Return, data any) page.Page {
	web.Bind(c) // for the token of its form
	v := p.page(c, signin.Call{Caller: web.Caller(c)}, data)
	v.Request = back.Request
	if back.Client != "" {
		if named, home := p.provider.Home(c.Request.Context(), back.Client); named != nil {
			v.Client = clientOf(*named, home)
		}
	}
	return v
}

// returnOf is where the address of a page says that its user came from.
func returnOf(c *gin.Context) ticket.Return {
	return ticket.Return{Client: clientIn(c), Request: requestOf(c)}
}

func (p *Pages) forgotForm(c *gin.Context) {
	p.showAsk(c, forgotten, http.StatusOK, p.suggested(c, forgotten), nil)
}

// forgot requests a message, and leads to the same page whatever the name.
func (p *Pages) forgot(c *gin.Context) {
	username := c.PostForm("username")
	p.requested(c, forgotten, username, p.resets.Ask(c.Request.Context(), p.caller(c), username, returnOf(c)))
}

// caller is who uses a page for forgotten passwords.
func (p *Pages) caller(c *gin.Context) mfa.Caller {
	v := web.Caller(c)
	v.Locale = web.Locale(c)
	return v
}

// outsider is a call that needs no login.
func (p *Pages) outsider(c *gin.Context) signin.Call { return signin.Call{Caller: p.caller(c)} }

// again shows a form again with the reason of a refusal, or the error page.
func (p *Pages) again(c *gin.Context, err error, show func(status int, a *page.Alert)) {
	p.retry(c, p.outsider(c), err, show)
}

// resetCode leads from a typed code to the page of its link.
func (p *Pages) resetCode(c *gin.Context) {
	username := c.PostForm("username")
	o, err := p.resets.Guess(c.Request.Context(), p.caller(c), username, c.PostForm("passcode"), returnOf(c))
	p.guessed(c, forgotten, username, ResetPath+o.Link, err)
}

// resetPage is the data of the page for a new password.
type resetPage struct {
	Link, Name string
	Fault      string // the field that the alert is about; "": there is no alert
}

// resetForm shows what a link allows. It changes nothing, however often a scanner of messages
// fetches it.
func (p *Pages) resetForm(c *gin.Context) {
	if o, ok := p.opened(c, c.Param("link")); ok {
		p.showReset(c, http.StatusOK, o, "", nil)
	}
}

// opened reads a link. A link that is not valid any more says so, and offers another message.
func (p *Pages) opened(c *gin.Context, link string) (reset.Opened, bool) {
	o, err := p.resets.Open(c.Request.Context(), link)
	switch {
	case err == nil:
		return o, true
	case mfa.CodeOf(err) == mfa.InvalidExchange:
		p.gone(c, o.Return, err)
	default:
		p.fail(c, p.outsider(c), err)
	}
	return o, false
}

func (p *Pages) gone(c *gin.Context, back ticket.Return, err error) {
	e, _, _ := problem.Lookup(refusals, err)
	a := p.look.Reason(c, "", e)
	a.Key = "reset.gone"
	v := p.outside(c, back, nil)
	v.Alert, v.Here = &a, ""
	p.look.Write(c, http.StatusGone, "reset_gone", v)
}

// reset sets the new password, which spends the link.
func (p *Pages) reset(c *gin.Context) {
	o, ok := p.opened(c, c.PostForm("link"))
	if !ok {
		return
	}
	if page.Differs(c) {
		p.showReset(c, http.StatusUnprocessableEntity, o, "repeat", &page.Alert{Key: "password.differ", Wrong: true})
		return
	}
	err := p.resets.Set(c.Request.Context(), p.caller(c), o, c.PostForm("new"))
	switch {
	case err == nil:
		page.Redirect(c, page.Path("/password-changed", o.Return.Request, o.Return.Client))
	case mfa.CodeOf(err) == mfa.InvalidExchange:
		p.gone(c, o.Return, err)
	default:
		p.again(c, err, func(status int, a *page.Alert) { p.showReset(c, status, o, "new", a) })
	}
}

func (p *Pages) showReset(c *gin.Context, status int, o reset.Opened, fault string, a *page.Alert) {
	v := p.outside(c, o.Return, resetPage{Link: o.Link, Name: o.Name, Fault: fault})
	v.Alert = v.OfPassword(a)
	p.look.Write(c, status, "reset", v)
}

// passwordChanged leads back to where the user came from: to the login, if it waits in this
// browser, else to the application.
func (p *Pages) passwordChanged(c *gin.Context) {
	call, err := p.next(c, provider.Ask{MayBeSealed: true})
	v := p.outside(c, returnOf(c), errorPage{Onward: err == nil && call.Step.Kind == provider.StepIdentify})
	p.look.Write(c, http.StatusOK, "password_changed", v)
}
