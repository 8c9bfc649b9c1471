package login

import (
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
)

// Pages is the surface for people who sign in.
type Pages struct {
	provider *provider.Provider
	verifier *exchange.Verifier
	sessions *session.Registry
	look     *page.Look
	own      OwnPage // nil: clients' own pages get the request alone
}

// New returns the pages, to be mounted beside their look.
func New(p *provider.Provider, v *exchange.Verifier, s *session.Registry, look *page.Look) *Pages {
	return &Pages{provider: p, verifier: v, sessions: s, look: look}
}

// guarded lets only forms of ours through to a handler.
func (p *Pages) guarded(h gin.HandlerFunc) gin.HandlerFunc { return p.look.Guarded(h, p.foreign) }

// Mount adds the pages to the engine.
func (p *Pages) Mount(r gin.IRouter) {
	r.GET("/authorize", p.authorize)
	r.POST("/authorize", p.authorize)
	r.GET("/continue", p.advance)
	r.POST("/continue", p.takeOver)
	r.GET("/login", p.loginForm)
	r.POST("/login", p.guarded(p.login))
	r.GET("/mfa", p.mfaForm)
	r.POST("/mfa", p.guarded(p.mfa))
	r.GET("/enroll", p.enrollForm)
	r.POST("/enroll", p.guarded(p.enroll))
	r.GET("/recovery-codes", p.recoveryCodes)
	r.POST("/recovery-codes", p.guarded(p.recoverySeen))
	r.GET("/consent", p.consentForm)
	r.POST("/consent", p.guarded(p.consent))
	// An address left over from such a form, opened again, changes nothing and leads on.
	r.GET("/cancel", p.onward)
	r.POST("/cancel", p.guarded(p.cancel))
	r.GET("/restart", p.onward)
	r.POST("/restart", p.guarded(p.restart))
	r.GET("/logout", p.logout)
	r.POST("/logout", p.logout)
	r.GET("/logged-out", p.loggedOut)
}

// turn is one request to a page: who is there, and where the login stands.
type turn struct {
	visit    mfa.Caller
	signedIn *session.SignedIn
	step     provider.Step
}

// requestOf returns the request named in the page's address, or in its form.
func requestOf(c *gin.Context) storage.RequestID {
	if id := c.Query("requestId"); id != "" {
		return storage.RequestID(id)
	}
	return storage.RequestID(c.PostForm("requestId"))
}

// next reads where a login of this very browser stands.
func (p *Pages) next(c *gin.Context, identifier string) (turn, error) {
	t, err := p.stand(c, provider.Ask{Identifier: identifier})
	// Programs of some clients do without the cookie. A page never does: whoever opened
	// the request elsewhere could have this browser sign in for them, or as them.
	if err == nil && !t.step.InBrowser {
		return turn{visit: t.visit}, &mfa.Error{Code: mfa.UnknownRequest}
	}
	return t, err
}

// stand reads where a login stands: one read, and one more with a session.
func (p *Pages) stand(c *gin.Context, a provider.Ask) (turn, error) {
	t := turn{visit: web.Visit(c)}
	var err error
	if t.signedIn, err = page.SignedIn(c, p.sessions); err != nil {
		return t, err
	}
	a.Request, a.Visit, a.SignedIn = requestOf(c), t.visit, t.signedIn
	t.step, err = p.provider.Next(c.Request.Context(), a)
	if err == nil {
		t.visit.Locale = web.Locale(c, t.step.UILocales...)
	}
	return t, err
}

// at reads where the login stands and lets the page go on only if it is at the given
// step. Otherwise everything is answered: the person is led on or told why not.
func (p *Pages) at(c *gin.Context, kind provider.StepKind, identifier string) (turn, bool) {
	t, err := p.next(c, identifier)
	if err != nil {
		p.fail(c, t, err)
		return t, false
	}
	if t.step.Kind != kind {
		p.onward(c)
		return t, false
	}
	return t, true
}

// onward leads to where the login stands.
func (p *Pages) onward(c *gin.Context) {
	page.Redirect(c, "/continue?requestId="+url.QueryEscape(string(requestOf(c))))
}
