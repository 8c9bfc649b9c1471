package account

import (
	"embed"
	"io/fs"
	"net/http"
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

//go:embed templates messages
var embedded embed.FS

// Files are the templates and texts of these pages, for page.New.
func Files() fs.FS { return embedded }

const (
	clientID = storage.ClientID("sallyport-account")
	home     = "/account"
	callback = "/account/callback"
)

// Client is this page as the provider knows it: public with PKCE, ours (so nobody is
// asked for consent), and without a demand of its own for a second factor.
func Client(issuer, product string) storage.Client {
	return storage.Client{ID: clientID, Name: product, Public: true, AuthMethod: "none", RedirectURIs: []string{issuer + callback},
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid"}, MFA: mfa.MFAOff, Consent: "skip", SilentLogin: true, ClientURI: issuer + home}
}

// Pages is the surface for people who look after their account.
type Pages struct {
	provider *provider.Provider
	verifier *exchange.Verifier
	sessions *session.Registry
	look     *page.Look
	issuer   string
}

// New returns the pages. The provider must know Client among its built-in ones.
func New(p *provider.Provider, v *exchange.Verifier, s *session.Registry, look *page.Look, issuer string) *Pages {
	return &Pages{provider: p, verifier: v, sessions: s, look: look, issuer: issuer}
}

// Mount adds the pages to the engine.
func (p *Pages) Mount(r gin.IRouter) {
	r = r.Group("", web.Isolated)
	r.GET(home, p.seen(p.overview))
	r.GET(callback, p.returned)
	r.GET("/account/confirm", p.seen(p.confirm))
	for path, h := range map[string][2]handler{
		"/account/add":      {p.addForm, p.add},
		"/account/rename":   {p.renameForm, p.rename},
		"/account/remove":   {p.removeForm, p.remove},
		"/account/recovery": {p.recoveryForm, p.recovery},
		"/account/password": {p.passwordForm, p.password},
		"/account/sessions": {p.overview, p.endSessions},
		"/account/consents": {p.overview, p.withdraw},
	} {
		r.GET(path, p.seen(h[0]))
		r.POST(path, p.look.Guarded(p.seen(h[1]), p.foreign))
	}
}

// turn is one request of a signed-in person.
type turn struct {
	visit mfa.Caller
	owner mfa.Owner
}

type handler func(c *gin.Context, t turn)

// seen lets a handler see who is signed in, with the strongest proof that their account
// knows; nobody, and whoever has shown less, is sent to the login first.
func (p *Pages) seen(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		web.Bind(c)
		t := turn{visit: web.Visit(c)}
		s, err := page.SignedIn(c, p.sessions)
		if err != nil {
			p.fail(c, t, err)
			return
		}
		if s == nil {
			p.signIn(c, placeOf(c), url.Values{})
			return
		}
		if t.owner = s.Owner(); !p.verifier.Strong(t.owner) {
			p.stepUp(c, t)
			return
		}
		h(c, t)
	}
}

// placeOf is where a person was when something came in between: the page of the
// address, also where a form was sent to it.
func placeOf(c *gin.Context) string {
	to := c.Request.URL.Path
	if c.Request.Method == http.MethodPost {
		q := url.Values{}
		for _, name := range []string{"method", "id"} {
			if v := c.PostForm(name); v != "" {
				q.Set(name, v)
			}
		}
		return join(to, q)
	}
	q := c.Request.URL.Query()
	q.Del(doneParam)
	return join(to, q)
}

func join(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// page prepares what a template is given.
func (p *Pages) page(c *gin.Context, t turn, data any) page.Page {
	v := p.look.Page(c, t.visit.Locale, data)
	v.Account = nameOf(t.owner.Account)
	return v
}

// nameOf is the name under which a person knows their account.
func nameOf(a storage.Account) string {
	for _, i := range a.Identifiers {
		if i.Kind == storage.Email {
			return i.Value
		}
	}
	if len(a.Identifiers) > 0 {
		return a.Identifiers[0].Value
	}
	return ""
}

const (
	doneParam   = "done"
	donePurpose = "account done"
)

// done leads back to the overview, which says what was done.
func (p *Pages) done(c *gin.Context, t turn, what string) {
	page.Redirect(c, join(home, url.Values{doneParam: {p.look.Mark(donePurpose, t.visit.Browser, what)}}))
}

// show writes a page, with an alert or without.
func (p *Pages) show(c *gin.Context, t turn, code int, name string, data any, a *page.Alert) {
	v := p.page(c, t, data)
	v.Alert = a
	p.look.Write(c, code, name, v)
}
