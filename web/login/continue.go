package login

import (
	"errors"
	"slices"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// places are the pages of the steps that need the user.
var places = map[provider.StepKind]string{
	provider.StepIdentify: "/login",
	provider.StepVerify:   "/mfa",
	provider.StepEnroll:   "/enroll",
	provider.StepOffer:    "/offer",
	provider.StepRecovery: "/recovery-codes",
	provider.StepConsent:  "/consent",
}

// advance continues a login at its current step. A form that changed something ends here as
// well, which saves the browser a redirect.
func (p *Pages) advance(c *gin.Context) {
	call, err := p.read(c, provider.Ask{})
	if err == nil && call.Step.Unbound() {
		p.adopt(c, call)
		return
	}
	if err == nil && !call.Step.InBrowser {
		err = &mfa.Error{Code: mfa.UnknownRequest} // as in next
	}
	if err == nil {
		call, err = p.claim(c, call)
	}
	if err != nil {
		p.fail(c, signin.Call{Caller: call.Caller}, err)
		return
	}
	p.proceed(c, call)
}

// goOn continues a login after a proof, which may have ended it.
func (p *Pages) goOn(c *gin.Context, call signin.Call, proven *provider.Proven) {
	if proven.Finished != nil {
		p.finished(c, call, *proven.Finished)
		return
	}
	web.SetCookie(c, web.ProvenCookie, "1", 0)
	if proven.Step.Kind == "" || mayHaveProof(proven.Step) {
		p.advance(c)
		return
	}
	call.Step = proven.Step
	p.proceed(c, call)
}

// proceed redirects to the page of the next step, or finishes a login that its last proof did
// not end.
func (p *Pages) proceed(c *gin.Context, call signin.Call) {
	if place, ok := places[call.Step.Kind]; ok {
		if call.Step.LoginPage != "" {
			p.toClientPage(c, call)
			return
		}
		page.Redirect(c, page.Path(place, call.Step.Request.Address(), call.Step.Client.ID))
		return
	}
	if call.Step.Kind == provider.StepOver {
		p.fail(c, call, &mfa.Error{Code: mfa.RequestOver})
		return
	}
	f, err := p.provider.Finish(c.Request.Context(), call.Step, call.Caller, call.SignedIn)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.finished(c, call, f)
}

// mayHaveProof reports whether a further factor may have been proven since the first: something
// was tried or set up in this login. Most logins need no read to look for one.
func mayHaveProof(st provider.Step) bool {
	if st.Kind != provider.StepVerify && st.Kind != provider.StepEnroll || st.Account == nil {
		return false
	}
	return st.Request.Initiations > 0 || slices.ContainsFunc(st.Account.Authenticators, func(a storage.Authenticator) bool {
		return !a.CreatedAt.Before(st.Request.RequestedAt)
	})
}

// atMFA reads a login that should be at the page of the second factor, like at. If the factor
// was proven elsewhere in the meantime, the browser goes on.
func (p *Pages) atMFA(c *gin.Context) (signin.Call, bool) {
	call, ok := p.at(c, provider.StepVerify, provider.Ask{})
	if !ok {
		return call, false
	}
	claimed, err := p.claim(c, call)
	switch {
	case err != nil:
		p.fail(c, signin.Call{Caller: call.Caller}, err)
	case claimed.Step.Request.Version != call.Step.Request.Version:
		p.proceed(c, claimed)
	default:
		return call, true
	}
	return call, false
}

// claim adds a factor that a call of another surface has proven in the meantime, as the owner
// of this login, under an exchange. A first factor is not looked for: its caller names it
// (rule G-36).
func (p *Pages) claim(c *gin.Context, call signin.Call) (signin.Call, error) {
	if !mayHaveProof(call.Step) {
		return call, nil
	}
	err := p.verifier.Claim(c.Request.Context(), call.Caller, call.Step.Login, exchange.Claim{Usages: []string{mfa.UsageSecond, mfa.UsageEnroll}})
	if mfa.CodeOf(err) == mfa.InvalidExchange {
		return call, nil
	}
	if err != nil {
		return call, err
	}
	return p.read(c, provider.Ask{})
}

// takeOver lets a client's page hand a login it owns over to its browser: the page posts
// the login's token here, from one of the client's origins. The browser sends no cookies
// with a post from another site; it sends them with the redirect to /continue. The token
// is not in an address: an attacker could send that to a victim.
func (p *Pages) takeOver(c *gin.Context) {
	caller := web.Caller(c)
	token := c.PostForm("login_token")
	var st provider.Step
	err := error(&mfa.Error{Code: mfa.UnknownRequest, Err: errors.New("no origin or no login token was sent")})
	if caller.Origin != "" && token != "" {
		st, err = p.provider.Next(c.Request.Context(), provider.Ask{Track: storage.TrackID(token), Visit: caller, Program: true})
	}
	if err != nil {
		p.fail(c, signin.Call{Caller: caller}, err)
		return
	}
	if st.Unbound() {
		web.TakeOver(c, token)
	}
	page.Redirect(c, signin.ContinuePath(st.Request.ID))
}

// adopt binds a login without a browser to this one.
func (p *Pages) adopt(c *gin.Context, call signin.Call) {
	web.Bind(c)
	if token := web.Cookie(c, web.LoginCookie); call.Step.Request.Parent != nil && token != "" {
		var err error
		if call, err = p.read(c, provider.Ask{Track: storage.TrackID(token)}); err != nil {
			p.fail(c, signin.Call{Caller: call.Caller}, err)
			return
		}
		web.ClearCookie(c, web.LoginCookie)
	}
	call.Caller = web.Caller(c)
	if err := p.provider.Adopt(c.Request.Context(), call.Step, call.Caller); err != nil {
		p.fail(c, signin.Call{Caller: call.Caller}, err)
		return
	}
	p.onward(c)
}

// finished keeps the session in the browser and responds to the client.
func (p *Pages) finished(c *gin.Context, call signin.Call, f provider.Finished) {
	signin.Keep(c, p.sessions, f)
	p.answer(c, call, f.Answer)
}

// cancel returns to the application with an error.
func (p *Pages) cancel(c *gin.Context) {
	call, err := p.next(c, provider.Ask{})
	if err != nil {
		p.fail(c, call, err)
		return
	}
	a, err := p.provider.Cancel(c.Request.Context(), call.Step, call.Caller)
	if err != nil {
		p.fail(c, call, err)
		return
	}
	p.answer(c, call, a)
}

// restart lets another user sign in.
func (p *Pages) restart(c *gin.Context) {
	call, err := p.next(c, provider.Ask{})
	if err != nil {
		p.fail(c, call, err)
		return
	}
	if err := p.provider.Restart(c.Request.Context(), call.Step, call.Caller); err != nil {
		p.fail(c, call, err)
		return
	}
	p.onward(c)
}
