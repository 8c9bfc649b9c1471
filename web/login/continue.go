package login

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
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
	t, err := p.stand(c, provider.Ask{})
	if err == nil && t.step.Unbound() {
		p.adopt(c, t)
		return
	}
	if err == nil && !t.step.InBrowser {
		err = &mfa.Error{Code: mfa.UnknownRequest} // as in next
	}
	if err == nil {
		t, err = p.claim(c, t)
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

// claim makes a factor count that a page of the client's has proven meanwhile, by the
// exchange protocol, as the owner of this very login.
func (p *Pages) claim(c *gin.Context, t turn) (turn, error) {
	if !t.step.Client.HeadlessLogin || t.step.Kind != provider.StepVerify && t.step.Kind != provider.StepEnroll {
		return t, nil
	}
	err := p.verifier.Claim(c.Request.Context(), t.visit, t.step.Proving, exchange.Claim{Usages: []string{mfa.UsageSecond, mfa.UsageEnroll}})
	if mfa.CodeOf(err) == mfa.InvalidExchange {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	return p.stand(c, provider.Ask{})
}

// takeOver is how a page of the client's hands a login it owns over to its browser: it
// posts the login's token here, from an origin of the client's. The browser sends no
// cookies with that post, which comes from another site; it is led to /continue, where it
// does. An address, which anybody can send to somebody, would not do.
func (p *Pages) takeOver(c *gin.Context) {
	visit := web.Visit(c)
	token := c.PostForm("login_token")
	var st provider.Step
	err := error(&mfa.Error{Code: mfa.UnknownRequest, Err: errors.New("no origin or no login token was sent")})
	if visit.Origin != "" && token != "" {
		st, err = p.provider.Next(c.Request.Context(), provider.Ask{Track: storage.TrackID(token), Visit: visit, Program: true})
	}
	if err != nil {
		p.fail(c, turn{visit: visit}, err)
		return
	}
	if st.Unbound() {
		web.TakeOver(c, token)
	}
	page.Redirect(c, "/continue?requestId="+url.QueryEscape(string(st.Request.ID)))
}

// adopt takes a login that has no browser over into this one.
func (p *Pages) adopt(c *gin.Context, t turn) {
	web.Bind(c)
	if token := web.Cookie(c, web.LoginCookie); t.step.Request.Parent != nil && token != "" {
		var err error
		if t, err = p.stand(c, provider.Ask{Track: storage.TrackID(token)}); err != nil {
			p.fail(c, turn{visit: t.visit}, err)
			return
		}
		web.ClearCookie(c, web.LoginCookie)
	}
	t.visit = web.Visit(c)
	if err := p.provider.Adopt(c.Request.Context(), t.step, t.visit); err != nil {
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
