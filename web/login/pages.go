package login

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/reset"
	"sallyport/mfa/session"
	"sallyport/mfa/signup"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
)

// Pages is the surface for users who sign in.
type Pages struct {
	provider *provider.Provider
	verifier *exchange.Verifier
	sessions *session.Registry
	logins   signin.Reader
	look     *page.Look
	// clientPage is nil if clients' own pages expect the request alone.
	clientPage ClientPage
	resets     *reset.Resets // nil: nobody can reset a password
	signups    *signup.SignUps
	verbose    bool
}

// New returns the pages, to be mounted beside their look.
func New(p *provider.Provider, v *exchange.Verifier, s *session.Registry, look *page.Look) *Pages {
	return &Pages{provider: p, verifier: v, sessions: s, logins: signin.Reader{Provider: p, Sessions: s}, look: look}
}

// ForDevelopers returns the pages, which quote a wrong address beside the registered ones. Only a
// server on the machine of its developers may do that.
func (p *Pages) ForDevelopers() *Pages {
	with := *p
	with.verbose = true
	return &with
}

// guarded lets only the server's own forms through to a handler.
func (p *Pages) guarded(h gin.HandlerFunc) gin.HandlerFunc { return p.look.Guarded(h, p.foreign) }

// Mount adds the pages to the engine.
func (p *Pages) Mount(r gin.IRouter) {
	r.GET("/authorize", p.authorize)
	r.POST("/authorize", p.authorize)
	r.GET("/continue", p.advance)
	r.POST("/continue", p.takeOver)
	r.GET("/login", p.loginForm)
	r.POST("/login", p.guarded(p.login))
	r.GET(freshPath, p.fresh)
	r.GET(codePath, p.codeForm)
	r.POST(codePath, p.guarded(p.code))
	r.GET("/mfa", p.mfaForm)
	r.POST("/mfa", p.guarded(p.mfa))
	r.GET("/enroll", p.enrollForm)
	r.POST("/enroll", p.guarded(p.enroll))
	r.GET(deliveryPath, p.onward)
	r.POST(deliveryPath, p.look.Guarded(p.delivery, page.ForeignDelivery))
	r.GET("/offer", p.offerForm)
	r.POST("/offer", p.guarded(p.offer))
	r.GET("/recovery-codes", p.recoveryCodes)
	r.POST("/recovery-codes", p.guarded(p.recoverySeen))
	r.GET("/consent", p.consentForm)
	r.POST("/consent", p.guarded(p.consent))
	// A GET of the address of such a form changes nothing.
	r.GET("/cancel", p.onward)
	r.POST("/cancel", p.guarded(p.cancel))
	r.GET("/restart", p.onward)
	r.POST("/restart", p.guarded(p.restart))
	r.GET("/logout", p.logout)
	r.POST("/logout", p.logout)
	r.GET("/logged-out", p.loggedOut)
	r.GET("/", p.front)
	p.mountDevices(r)
	p.mountWaiting(r)
	p.mountResets(r)
	p.mountSignUps(r)
}

// requestOf returns the request that the address or the form names.
func requestOf(c *gin.Context) storage.RequestID {
	if id := web.Query(c).Get("requestId"); id != "" {
		return storage.RequestID(id)
	}
	return storage.RequestID(c.PostForm("requestId"))
}

// next reads a login of this browser.
func (p *Pages) next(c *gin.Context, a provider.Ask) (signin.Call, error) {
	call, err := p.read(c, a)
	// Programs of some clients need no cookie. A page always does: an attacker who opened
	// the request elsewhere could make this browser sign in for them, or as them.
	if err == nil && !call.Step.InBrowser {
		return signin.Call{Caller: call.Caller}, &mfa.Error{Code: mfa.UnknownRequest}
	}
	return call, err
}

// read reads the login that the address or the form names.
func (p *Pages) read(c *gin.Context, a provider.Ask) (signin.Call, error) {
	a.Request = requestOf(c)
	return p.logins.Read(c, web.Caller(c), a)
}

// at reads a login of this browser and reports whether it is at the given step. If not,
// the browser has been redirected or shown why not.
func (p *Pages) at(c *gin.Context, kind provider.StepKind, a provider.Ask) (signin.Call, bool) {
	call, err := p.next(c, a)
	if err != nil {
		p.fail(c, call, err)
		return call, false
	}
	if call.Step.Kind != kind {
		p.onward(c)
		return call, false
	}
	return call, true
}

// onward redirects to the step the login is at.
func (p *Pages) onward(c *gin.Context) {
	page.Redirect(c, page.Path("/continue", requestOf(c), clientIn(c)))
}

// front shows what is at this address, for people who open it by hand.
func (p *Pages) front(c *gin.Context) {
	p.look.Write(c, http.StatusOK, "front", p.page(c, signin.Call{}, nil))
}
