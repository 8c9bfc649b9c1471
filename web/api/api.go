package api

import (
	_ "embed" // for the description
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider"
	"sallyport/web"
)

// base is where the calls are; its last part grows with the next incompatible change.
const base = "/api/login/v1"

// Options of the surface.
type Options struct {
	Logger *slog.Logger // nil: discarded
}

// Surface mounts the calls.
type Surface struct {
	provider *provider.Provider
	verifier *exchange.Verifier
	sessions *session.Registry
	log      *slog.Logger
	calls    *cors.Cors // pages of registered origins
	reads    *cors.Cors // anybody's pages
}

var _ web.Refuser = (*Surface)(nil)

//go:embed openapi.yaml
var description []byte

// New makes the surface.
func New(p *provider.Provider, v *exchange.Verifier, s *session.Registry, o Options) *Surface {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Surface{provider: p, verifier: v, sessions: s, log: o.Logger, reads: web.Reads(),
		calls: web.Calls(p.OriginAllowed, cors.Options{
			AllowedMethods: []string{http.MethodPost, http.MethodGet}, // of GET the refusal can be read
			AllowedHeaders: []string{"Content-Type"},
			ExposedHeaders: []string{"Retry-After", web.CorrelationHeader},
		})}
}

// Mount adds the calls to the engine.
func (s *Surface) Mount(r gin.IRouter) {
	calls, reads := web.Shared(s.calls), web.Shared(s.reads)
	for path, serve := range map[string]gin.HandlerFunc{
		"/requests":            s.open,
		"/step":                s.step,
		"/identify":            s.identify,
		"/password":            s.password,
		"/initiate":            s.initiate,
		"/verify":              s.verify,
		"/enroll":              s.enroll,
		"/enroll/confirm":      s.confirm,
		"/recovery-codes/seen": s.change(provider.StepRecovery, s.provider.Seen),
		"/consent":             s.consent,
		"/cancel":              s.cancel,
		"/restart":             s.restart,
		"/finish":              s.finish,
	} {
		r.POST(base+path, calls, serve)
		r.OPTIONS(base+path, calls)
	}
	r.GET(base+"/openapi.yaml", reads, describe)
	r.OPTIONS(base+"/openapi.yaml", reads)
}

// describe serves the description (RFC 9512 names its type).
func describe(c *gin.Context) {
	c.Header("Cache-Control", "public, max-age=300")
	c.Data(http.StatusOK, "application/yaml", description)
}

// Refuse writes the engine's refusals of the addresses here as every other refusal is
// written, readable for the page that called.
func (s *Surface) Refuse(c *gin.Context, code int, reason string) bool {
	if rest, ours := strings.CutPrefix(c.Request.URL.Path, base); !ours || rest != "" && rest[0] != '/' {
		return false
	}
	s.calls.HandlerFunc(c.Writer, c.Request)
	word := string(mfa.InvalidRequest)
	switch {
	case code == http.StatusServiceUnavailable:
		word = codeUnavailable
	case code >= http.StatusInternalServerError:
		word = codeBroken
	}
	s.problem(c, problem{Status: code, Code: word, Detail: strings.ToUpper(reason[:1]) + reason[1:] + "."})
	return true
}
