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
	"sallyport/provider/registration"
	"sallyport/storage"
	"sallyport/web"
)

// Options are the settings of the surface.
type Options struct {
	Issuer string // RFC 8414 section 3.1 puts the metadata before its path
	// AnyOrigin lets pages of every origin call the endpoints: nobody registers the clients that they
	// may be of. What they send proves who they are, not the cookies of their browser.
	AnyOrigin bool
	// Registers lets pages of every origin register clients: what they are part of is not registered yet.
	Registers bool
	// PasskeyOrigins are those whose pages may use passkeys; none: there are no passkeys.
	PasskeyOrigins []string
}

// wellKnown is where metadata documents are (RFC 8615).
const wellKnown = "/.well-known/"

// Surface mounts the endpoints for client programs.
type Surface struct {
	provider *provider.Provider
	calls    *cors.Cors // for pages of registered origins
	reads    *cors.Cors // for all pages
	path     string
	options  Options
}

var (
	_ web.Refuser = (*Surface)(nil)
	_ web.Sharer  = (*Surface)(nil)
)

// New returns the surface.
func New(p *provider.Provider, o Options) *Surface {
	s := &Surface{provider: p, options: o}
	if u, err := url.Parse(o.Issuer); err == nil {
		s.path = strings.TrimSuffix(u.EscapedPath(), "/")
	}
	s.calls, s.reads = web.RegisteredOrigins(p.OriginAllowed), web.AnyOrigin()
	if o.AnyOrigin {
		s.calls = s.reads
	}
	return s
}

// Mount adds the routes.
func (s *Surface) Mount(r gin.IRouter) {
	r.POST("/token", endpoint(s.provider.Grants.Token).handle)
	r.POST("/par", endpoint(s.provider.Push).handle)
	r.POST(registration.Path, endpoint(s.provider.Registration.Register).handle)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		r.Handle(method, registration.Path+"/:client", s.manage)
	}
	r.POST("/device_authorization", endpoint(s.provider.DeviceAuthorization).handle)
	r.POST(provider.BackchannelPath, endpoint(s.provider.BackchannelAuthentication).handle)
	r.POST("/revoke", endpoint(s.provider.Introspection.Revoke).handle)
	r.POST("/introspect", endpoint(s.provider.Introspection.Introspect).handle)
	userinfo := endpoint(s.provider.Introspection.Userinfo)
	r.GET("/userinfo", userinfo.handle)
	r.POST("/userinfo", userinfo.handle)
	documents := map[string]document{
		"/jwks.json":                                s.provider.JWKS,
		"/.well-known/openid-configuration":         s.provider.Discovery,
		"/.well-known/oauth-authorization-server":   s.provider.Discovery,
		oauth.ResourceMetadata + oauth.UserinfoPath: s.provider.UserinfoMetadata,
	}
	if s.path != "" {
		documents["/.well-known/oauth-authorization-server"+s.path] = s.provider.Discovery
	}
	for path, read := range documents {
		r.GET(path, read.handle)
	}
	s.mountPasskeys(r)
}

// Shared lets pages of clients call the endpoints, and all pages read the documents.
// Introspection is for resource servers, never for pages.
func (s *Surface) Shared(path string) *cors.Cors {
	switch path {
	case "/token", "/par", "/device_authorization", "/revoke", "/userinfo":
		return s.calls
	case "/jwks.json":
		return s.reads
	}
	if strings.HasPrefix(path, wellKnown) || s.options.Registers && registers(path) {
		return s.reads
	}
	return nil
}

// registers reports whether an address is one of dynamic registration.
func registers(path string) bool {
	return path == registration.Path || strings.HasPrefix(path, registration.Path+"/")
}

// manage serves the configuration endpoint of a client.
func (s *Surface) manage(c *gin.Context) {
	s.provider.Registration.Manage(c.Writer, c.Request, web.Caller(c), storage.ClientID(c.Param("client")))
}

// Refuse writes the engine's refusals as JSON: all callers are programs, whatever they accept.
func (s *Surface) Refuse(c *gin.Context, status int, reason string) bool {
	if path := c.Request.URL.Path; path != "/introspect" && path != provider.BackchannelPath && !registers(path) && s.Shared(path) == nil {
		return false
	}
	web.WriteJSON(c, status, reason)
	return true
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
