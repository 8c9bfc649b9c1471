package api

import (
	_ "embed" // for the description
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"sallyport/mfa/exchange"
	"sallyport/mfa/reset"
	"sallyport/mfa/session"
	"sallyport/mfa/signup"
	"sallyport/provider"
	"sallyport/web"
	"sallyport/web/signin"
)

// base is the path of all calls; an incompatible change will get a new version.
const base = "/api/login/v1"

// Surface mounts the calls.
type Surface struct {
	provider *provider.Provider
	verifier *exchange.Verifier
	sessions *session.Registry
	resets   *reset.Resets   // nil: nobody can reset a password
	signups  *signup.SignUps // nil: nobody can sign up
	support  string          // where users get help; "": nowhere
	logins   signin.Reader
	calls    *cors.Cors // for pages of registered origins
}

var (
	_ web.Refuser = (*Surface)(nil)
	_ web.Sharer  = (*Surface)(nil)
)

//go:embed openapi.yaml
var description []byte

// OpenAPI is the description of the calls.
func OpenAPI() []byte { return description }

// Described is the address of the description.
const Described = base + "/openapi.yaml"

// New returns the surface.
func New(p *provider.Provider, v *exchange.Verifier, s *session.Registry) *Surface {
	return &Surface{provider: p, verifier: v, sessions: s,
		logins: signin.Reader{Provider: p, Sessions: s, Program: true},
		calls:  web.RegisteredOrigins(p.OriginAllowed)}
}

// WithSupport returns the surface, whose steps name an address where users get help.
func (s *Surface) WithSupport(address string) *Surface {
	with := *s
	with.support = address
	return &with
}

// Mount adds the calls to the engine.
func (s *Surface) Mount(r gin.IRouter) {
	for path, serve := range map[string]gin.HandlerFunc{
		"/requests":            s.open,
		"/step":                s.step,
		"/identify":            s.identify,
		"/password":            s.password,
		"/password/forgot":     s.forgot,
		"/password/reset":      s.reset,
		"/signup":              s.signUp,
		"/signup/code":         s.signUpCode,
		"/signup/passkey":      s.signUpPasskey,
		"/signup/create":       s.signUpCreate,
		"/initiate":            s.initiate,
		"/verify":              s.verify,
		"/delivery":            s.delivery,
		"/enroll":              s.enroll,
		"/enroll/code":         s.mailCode,
		"/enroll/confirm":      s.confirm,
		"/recovery-codes/seen": s.change(provider.StepRecovery, s.provider.Seen),
		"/consent":             s.consent,
		"/cancel":              s.cancel,
		"/restart":             s.restart,
		"/finish":              s.finish,
	} {
		r.POST(base+path, serve)
	}
}

// Shared lets pages of clients make the calls.
func (s *Surface) Shared(path string) *cors.Cors {
	if rest, ours := strings.CutPrefix(path, base); !ours || rest != "" && rest[0] != '/' || path == Described {
		return nil
	}
	return s.calls
}

// Refuse writes the engine's refusals of the surface's addresses as problems.
func (s *Surface) Refuse(c *gin.Context, status int, reason string) bool {
	if s.Shared(c.Request.URL.Path) == nil {
		return false
	}
	refuse(c, web.Fault{Status: status, Reason: reason})
	return true
}
