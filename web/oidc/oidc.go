package oidc

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/provider/oauth"
	"sallyport/web"
)

// Options are the settings of the surface.
type Options struct {
	Issuer string // RFC 8414 section 3.1 puts the metadata before its path
}

// Surface mounts the endpoints for client programs.
type Surface struct {
	provider *provider.Provider
	calls    *cors.Cors // for pages of registered origins
	reads    *cors.Cors // for all pages
	path     string
}

var _ web.Surface = (*Surface)(nil)

// New returns the surface.
func New(p *provider.Provider, o Options) *Surface {
	s := &Surface{provider: p}
	if u, err := url.Parse(o.Issuer); err == nil {
		s.path = strings.TrimSuffix(u.EscapedPath(), "/")
	}
	s.calls = web.RegisteredOrigins(p.OriginAllowed, cors.Options{
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"Authorization", "Content-Type"},
		ExposedHeaders: []string{"WWW-Authenticate", "Retry-After"},
	})
	s.reads = web.AnyOrigin()
	return s
}

// Mount adds the routes. Introspection is for resource servers, never for pages.
func (s *Surface) Mount(r gin.IRouter) {
	calls, reads := web.CORS(s.calls), web.CORS(s.reads)
	for path, serve := range map[string]endpoint{"/token": s.provider.Grants.Token, "/revoke": s.provider.Introspection.Revoke} {
		r.POST(path, calls, serve.handle)
		r.OPTIONS(path, calls)
	}
	userinfo := endpoint(s.provider.Introspection.Userinfo)
	r.GET("/userinfo", calls, userinfo.handle)
	r.POST("/userinfo", calls, userinfo.handle)
	r.OPTIONS("/userinfo", calls)
	r.POST("/introspect", endpoint(s.provider.Introspection.Introspect).handle)

	documents := map[string]document{
		"/jwks.json":                              s.provider.JWKS,
		"/.well-known/openid-configuration":       s.provider.Discovery,
		"/.well-known/oauth-authorization-server": s.provider.Discovery,
	}
	if s.path != "" {
		documents["/.well-known/oauth-authorization-server"+s.path] = s.provider.Discovery
	}
	for path, read := range documents {
		r.GET(path, reads, read.handle)
		r.HEAD(path, reads, read.handle)
		r.OPTIONS(path, reads)
	}
}

// endpoint is an endpoint of the provider.
type endpoint func(http.ResponseWriter, *http.Request, mfa.Caller)

func (e endpoint) handle(c *gin.Context) { e(c.Writer, c.Request, web.Caller(c)) }

// document returns a document of the provider.
type document func() oauth.Document

// documentAge is how long a document may be cached: for less time than a new key is
// published before its first use.
const documentAge = "public, max-age=300"

func (d document) handle(c *gin.Context) {
	text := d()
	h := c.Writer.Header()
	h.Set("Cache-Control", documentAge)
	h.Set("ETag", text.ETag)
	if unchanged(c.GetHeader("If-None-Match"), text.ETag) {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	c.Data(http.StatusOK, "application/json", text.Body)
}

// unchanged compares entity tags weakly (RFC 9110 section 13.1.2).
func unchanged(header, etag string) bool {
	for _, tag := range strings.Split(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
