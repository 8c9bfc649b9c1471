package login

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/page"
)

// places are the pages of the steps that ask something.
var places = map[provider.StepKind]string{
	provider.StepIdentify: "/login",
	provider.StepVerify:   "/mfa",
	provider.StepEnroll:   "/enroll",
	provider.StepRecovery: "/recovery-codes",
	provider.StepConsent:  "/consent",
}

// advance goes on with a login, wherever it stands. A form that moved it on ends here,
// too, which spares the browser a redirect.
func (p *Pages) advance(c *gin.Context) {
	t, err := p.stand(c, "")
	if err == nil && t.step.Unbound() {
		p.adopt(c, t)
		return
	}
	if err == nil && t.visit.Browser == "" {
		err = &mfa.Error{Code: mfa.UnknownRequest} // as in next
	}
	if err != nil {
		p.fail(c, turn{visit: t.visit}, err)
		return
	}
	p.proceed(c, t)
}

// proceed is the only place that turns the next step into an address, or ends the login.
func (p *Pages) proceed(c *gin.Context, t turn) {
	if place, ok := places[t.step.Kind]; ok {
		if t.step.LoginPage != "" {
			p.lead(c, t)
			return
		}
		page.Redirect(c, place+"?requestId="+url.QueryEscape(string(t.step.Request.ID)))
		return
	}
	if t.step.Kind == provider.StepOver {
		p.fail(c, t, &mfa.Error{Code: mfa.RequestOver})
		return
	}
	f, err := p.provider.Finish(c.Request.Context(), t.step, t.visit, t.signedIn)
	if err != nil {
		p.fail(c, t, err)
		return
	}
	p.finished(c, t, f)
}

// adopt takes a login that was opened without a browser over into this one.
func (p *Pages) adopt(c *gin.Context, t turn) {
	web.Bind(c)
	t.visit = web.Visit(c)
	if err := p.provider.Adopt(c.Request.Context(), t.step, t.visit, c.GetHeader("Referer")); err != nil {
		p.fail(c, turn{visit: t.visit}, err)
		return
	}
	p.onward(c)
}

// finished keeps who is signed in now in the browser and answers the client. The
// cookies are set only here, after the end of the login was committed.
func (p *Pages) finished(c *gin.Context, t turn, f provider.Finished) {
	if f.Session != nil {
		web.SetCookie(c, web.SessionCookie, f.SessionToken, 0)
		web.SetCookie(c, web.DeviceCookie, p.sessions.Remember(t.visit.Device, f.User), web.DeviceAge)
	}
	p.answer(c, t, f.Answer)
}

// cancel goes back to the application, empty-handed.
func (p *Pages) cancel(c *gin.Context) {
	t, err := p.next(c, "")
	if err != nil {
		p.fail(c, t, err)
		return
	}
	a, err := p.provider.Cancel(c.Request.Context(), t.step, t.visit)
	if err != nil {
		p.fail(c, t, err)
		return
	}
	p.answer(c, t, a)
}

// restart forgets who was signing in: somebody else wants to.
func (p *Pages) restart(c *gin.Context) {
	t, err := p.next(c, "")
	if err != nil {
		p.fail(c, t, err)
		return
	}
	if err := p.provider.Restart(c.Request.Context(), t.step, t.visit); err != nil {
		p.fail(c, t, err)
		return
	}
	p.onward(c)
}

// Refusal writes the page of an HTTP status, for addresses and requests that reach no
// handler; it is web.Options.ErrorPage.
func (p *Pages) Refusal(c *gin.Context, code int) {
	key := map[int]string{
		http.StatusNotFound:           "status.404",
		http.StatusMethodNotAllowed:   "status.404",
		http.StatusServiceUnavailable: "status.503",
	}[code]
	if key == "" {
		key = "status.400"
		if code >= http.StatusInternalServerError {
			key = "status.500"
		}
	}
	p.failure(c, turn{}, code, page.Alert{Key: key}, false)
}
