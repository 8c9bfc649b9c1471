package cidaas

import (
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"sallyport/mfa/exchange"
	"sallyport/mfa/selfservice"
	"sallyport/mfa/session"
	"sallyport/provider"
	"sallyport/provider/origin"
	"sallyport/web"
	"sallyport/web/signin"
)

// Options of the surface.
type Options struct {
	Issuer  string
	Product string // name of the tenant; "": Sallyport
	// Answer sends the result of a login to the application, by a redirect or a page.
	Answer func(*gin.Context, provider.Answer)
	Logger *slog.Logger // nil: discarded
}

// Surface mounts the endpoints of the dialect.
type Surface struct {
	provider *provider.Provider
	verifier *exchange.Verifier
	accounts *selfservice.Accounts
	logins   signin.Reader
	random   io.Reader
	answer   func(*gin.Context, provider.Answer)
	log      *slog.Logger
	product  string
	origin   string
	calls    *cors.Cors // for pages of registered origins
	reads    *cors.Cors // for all pages
}

var (
	_ web.Refuser = (*Surface)(nil)
	_ web.Sharer  = (*Surface)(nil)
)

// New returns the surface.
func New(p *provider.Provider, v *exchange.Verifier, a *selfservice.Accounts, x *session.Registry, random io.Reader, o Options) *Surface {
	s := &Surface{provider: p, verifier: v, accounts: a, logins: signin.Reader{Provider: p, Sessions: x, Program: true}, random: random,
		answer: o.Answer, log: o.Logger, product: o.Product, origin: origin.Of(o.Issuer)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.product == "" {
		s.product = "Sallyport"
	}
	s.calls, s.reads = web.RegisteredOrigins(p.OriginAllowed), web.AnyOrigin()
	return s
}

// Mount adds the calls to the engine.
func (s *Surface) Mount(r gin.IRouter) {
	s.mountLogin(r)
	s.mountOAuth(r)
	for _, at := range s.routes() {
		r.Handle(at.verb, at.path, at.serve)
	}
}

type route struct {
	verb, path string
	serve      gin.HandlerFunc
}

// routes are the calls that respond with the envelope. Most have two addresses: that of the
// older libraries and that of the guides and newer libraries.
func (s *Surface) routes() []route {
	const post, get, put, del = http.MethodPost, http.MethodGet, http.MethodPut, http.MethodDelete
	return []route{
		{post, "/authz-srv/authrequest/authz/generate", s.generate},
		{get, "/public-srv/public/:requestId", s.clientInfo},
		{get, "/public-srv/tenantinfo/basic", s.tenantInfo},
		{get, "/token-srv/prelogin/metadata/:trackId", s.prelogin},

		{post, "/verification-srv/v2/setup/public/configured/list", s.list},
		{post, "/verification-srv/public/graph/user/setup", s.list},
		{post, "/verification-srv/v2/setup/public/configured/check/:method", s.check},
		{post, "/verification-srv/v2/authenticate/initiate/:method", s.initiate},
		{post, "/verification-srv/authentication/:method/initiation", s.initiate},
		{post, "/verification-srv/v2/authenticate/authenticate/:method", s.verify},
		{post, "/verification-srv/authentication/:method/verification", s.verify},
		{post, "/verification-srv/v2/authenticate/cancel/:method", s.cancel},
		{post, "/verification-srv/authentication/:method/cancel", s.cancel},

		{post, "/verification-srv/v2/setup/initiate/:method", s.enroll},
		{post, "/verification-actions-srv/setup/:method/initiation", s.enroll},
		{post, "/verification-srv/v2/setup/enroll/:method", s.confirm},
		{post, "/verification-actions-srv/setup/:method/verification", s.confirm},
		{post, "/verification-srv/v2/setup/cancel/:method", s.cancel},
		{post, "/verification-srv/v2/notification/status/:statusId", s.status},
		{post, "/verification-srv/notification/status/:statusId", s.status},
		{get, "/verification-srv/config/list", s.configured},
		{get, "/verification-actions-srv/config", s.configured},
		{del, "/verification-actions-srv/setup/devices/:method/:sub", s.remove},

		{post, "/verification-actions-srv/setup/:method/initiation/:trackId", s.enrollInLogin},
		{post, "/verification-actions-srv/setup/:method/initiate/:trackId", s.enrollInLogin},
		{put, "/verification-actions-srv/setup/users/friendlyname/:method/:trackId", s.friendlyName},
		{post, "/auth-actions-srv/validation/:trackId", s.postpone},

		{post, "/login-srv/login/sdk", s.passwordJSON},
		{post, "/login-srv/verification/sdk/login", s.finishJSON},
		{post, "/login-srv/precheck/continue/sdk/:trackId", s.continueJSON},
	}
}

// Shared lets pages of clients call every address of the dialect, and all pages read the keys.
func (s *Surface) Shared(path string) *cors.Cors {
	if path == keySet {
		return s.reads
	}
	if service, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); strings.HasSuffix(service, "-srv") {
		return s.calls
	}
	return nil
}

// Refuse writes the engine's refusals of the dialect's addresses in its envelope, also of
// addresses that this server does not have. A browser that posted a form gets a page.
func (s *Surface) Refuse(c *gin.Context, status int, reason string) bool {
	path := c.Request.URL.Path
	if s.Shared(path) != s.calls || navigated(path) && strings.Contains(c.GetHeader("Accept"), "text/html") {
		return false
	}
	ver := ""
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		ver = "VER_0004"
	}
	s.refuse(c, web.Fault{Status: status, Reason: reason}, ver)
	return true
}
