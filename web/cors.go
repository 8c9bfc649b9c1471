package web

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// preflightAge is how many seconds a browser may cache the response to a preflight.
const preflightAge = 600

// Sharer is a Surface that pages of other origins may call.
type Sharer interface {
	Surface
	// Shared returns the rules for an address, of a route or not; nil: none applies.
	Shared(path string) *cors.Cors
}

// RegisteredOrigins are the rules for calls of clients' pages. A preflight names an
// origin but no client, so every origin that some client registered passes; the call
// itself is authorized for its own client. Credentials are never allowed: no page of
// another origin may send the server's cookies (H-6).
func RegisteredOrigins(registered func(ctx context.Context, origin string) bool) *cors.Cors {
	return newRules(cors.Options{AllowOriginVaryRequestFunc: func(r *http.Request, origin string) (bool, []string) {
		return origin != "" && registered(r.Context(), origin), nil
	}})
}

// AnyOrigin are the rules for documents that every page may read.
func AnyOrigin() *cors.Cors { return newRules(cors.Options{AllowedOrigins: []string{"*"}}) }

// newRules allows every method and header: a page without the server's cookies can do nothing
// with them that a program cannot, and libraries for tracing add headers of their own. What is
// refused is refused by the address, in words that the page can read.
func newRules(o cors.Options) *cors.Cors {
	o.AllowedMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	o.AllowedHeaders = []string{"*"}
	o.ExposedHeaders = []string{"Retry-After", "WWW-Authenticate", "DPoP-Nonce", CorrelationHeader}
	o.MaxAge = preflightAge
	return cors.New(o)
}

// share adds the headers for cross-origin calls to every response of an address, refusals
// included, and responds to preflights. It comes before the limits: a page can read no refusal
// of a call whose preflight was refused.
func (s *server) share(c *gin.Context) {
	rules := s.shared(c.Request.URL.Path)
	if rules == nil {
		c.Next()
		return
	}
	s.apply(rules, c)
	if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
		noContent(c)
		c.Abort()
		return
	}
	c.Next()
}

// apply lets rules add their headers. Those for an origin may be read from the database.
func (s *server) apply(rules *cors.Cors, c *gin.Context) {
	if c.GetHeader("Origin") == "" {
		rules.HandlerFunc(c.Writer, c.Request)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.o.Timeout)
	defer cancel()
	rules.HandlerFunc(c.Writer, c.Request.WithContext(ctx))
}

func (s *server) shared(path string) *cors.Cors {
	for _, f := range s.sharers {
		if rules := f.Shared(path); rules != nil {
			return rules
		}
	}
	return nil
}

// mountOptions adds OPTIONS to every route that pages of other origins may call.
func (s *server) mountOptions(e *gin.Engine) {
	done := map[string]bool{}
	for _, r := range e.Routes() {
		if !done[r.Path] && s.shared(r.Path) != nil {
			done[r.Path] = true
			e.OPTIONS(r.Path, noContent)
		}
	}
}

func noContent(c *gin.Context) {
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}
