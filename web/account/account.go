package account

import (
	"embed"
	"io/fs"
	"net/url"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/passkey"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/session"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/page"
	"sallyport/web/signin"
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

// Client is the account page as a client: public with PKCE, first-party (no consent), and
// with no policy of its own for a second factor.
func Client(issuer, product string) storage.Client {
	return storage.Client{ID: clientID, Name: product, Public: true, AuthMethod: "none", RedirectURIs: []string{issuer + callback},
		GrantTypes: []string{"authorization_code"}, Scopes: []string{"openid"}, MFA: mfa.MFAOff, Consent: "skip", SilentLogin: true, ClientURI: issuer + home}
}

// Pages is the surface for users who manage their account.
type Pages struct {
	provider *provider.Provider
	verifier *exchange.Verifier
	accounts *selfservice.Accounts
	sessions *session.Registry
	look     *page.Look
	issuer   string
	passkeys *passkey.Method // nil: none
}

// New returns the pages. Client must be one of the provider's built-in clients.
func New(p *provider.Provider, v *exchange.Verifier, a *selfservice.Accounts, s *session.Registry, look *page.Look, issuer string) *Pages {
	return &Pages{provider: p, verifier: v, accounts: a, sessions: s, look: look, issuer: issuer}
}

// WithPasskeys returns the pages, which describe passkeys.
func (p *Pages) WithPasskeys(m *passkey.Method) *Pages {
	with := *p
	with.passkeys = m
	return &with
}

// Mount adds the pages to the engine.
func (p *Pages) Mount(r gin.IRouter) {
	r = r.Group("", web.Isolated)
	r.GET(home, p.signedIn(p.overview))
	r.GET(callback, p.returned)
	r.GET("/account/confirm", p.signedIn(p.confirm))
	for path, h := range map[string][2]handler{
		"/account/add":      {p.addForm, p.add},
		"/account/rename":   {p.renameForm, p.rename},
		"/account/remove":   {p.removeForm, p.remove},
		"/account/recovery": {p.recoveryForm, p.recovery},
		"/account/password": {p.passwordForm, p.password},
		"/account/address":  {p.addressForm, p.address},
		"/account/detach":   {p.detachForm, p.detach},
		"/account/profile":  {p.profileForm, p.profile},
		"/account/username": {p.usernameForm, p.username},
		"/account/sessions": {p.overview, p.endSessions},
		"/account/devices":  {p.overview, p.forget},
		"/account/consents": {p.overview, p.withdraw},
		"/account/waiting":  {p.overview, p.refuse},
	} {
		r.GET(path, p.signedIn(h[0]))
		r.POST(path, p.look.Guarded(p.signedIn(h[1]), p.foreign))
	}
	r.GET(undoPath, p.undoForm)
	r.POST(undoPath, p.look.Guarded(p.undo, p.staleUndo))
	r.GET(notMePath, p.notMeForm)
	r.POST(notMePath, p.look.Guarded(p.signedIn(p.notMe), p.foreign))
	r.GET(deliveryPath, p.signedIn(p.overview))
	r.POST(deliveryPath, p.look.Guarded(p.delivery, page.ForeignDelivery))
}

// ownerCall is one request of a signed-in user.
type ownerCall struct {
	caller mfa.Caller
	owner  mfa.Owner
}

type handler func(c *gin.Context, call ownerCall)

// signedIn calls a handler with the signed-in user, whose session must hold the strongest
// proof that their account has. Everyone else is redirected to the login first.
func (p *Pages) signedIn(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		web.Bind(c)
		call := ownerCall{caller: web.Caller(c)}
		s, err := signin.Session(c, p.sessions)
		if err != nil {
			p.fail(c, call, err)
			return
		}
		if s == nil {
			p.signIn(c, placeOf(c), url.Values{})
			return
		}
		if call.owner = s.Owner(); !p.accounts.Strong(call.owner) {
			p.stepUp(c, call)
			return
		}
		h(c, call)
	}
}

// placeOf is the page to which a user returns from the login: that of the address, also
// if a form was sent there.
func placeOf(c *gin.Context) string { return page.Place(c, doneParam) }

func join(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// page prepares what a template is given.
func (p *Pages) page(c *gin.Context, call ownerCall, data any) page.Page {
	v := p.look.Page(c, call.caller.Locale, data)
	v.Account = nameOf(call.owner.Account)
	return v
}

// nameOf is the name that an account is shown under.
func nameOf(a storage.Account) string {
	for _, i := range a.Identifiers {
		if i.Kind == storage.Email {
			return i.Text()
		}
	}
	if len(a.Identifiers) > 0 {
		return a.Identifiers[0].Text()
	}
	return ""
}

const (
	doneParam   = "done"
	donePurpose = "account done"
)

// done redirects to the overview, which confirms the change.
func (p *Pages) done(c *gin.Context, call ownerCall, what string) {
	page.Redirect(c, join(home, url.Values{doneParam: {p.look.Sign(donePurpose, call.caller.Browser, what)}}))
}

// show writes a page, with an alert or without.
func (p *Pages) show(c *gin.Context, call ownerCall, code int, name string, data any, a *page.Alert) {
	v := p.page(c, call, data)
	v.Alert = a
	p.look.Write(c, code, name, v)
}
