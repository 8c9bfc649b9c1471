package web

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// preflightAge is how many seconds a browser may cache the response to a preflight.
const preflightAge = 600

// RegisteredOrigins are the rules for calls of clients' pages. A preflight names an
// origin but no client, so every origin that some client registered passes; the call
// itself is authorized for its own client. Credentials are never allowed: no page of
// another origin may send the server's cookies (H-6).
func RegisteredOrigins(registered func(ctx context.Context, origin string) bool, o cors.Options) *cors.Cors {
	o.AllowOriginVaryRequestFunc = func(r *http.Request, origin string) (bool, []string) {
		return registered(r.Context(), origin), nil
	}
	o.MaxAge = preflightAge
	return cors.New(o)
}

// AnyOrigin are the rules for documents that every page may read.
func AnyOrigin() *cors.Cors {
	return cors.New(cors.Options{AllowedOrigins: []string{"*"}, AllowedMethods: []string{http.MethodGet, http.MethodHead}, MaxAge: preflightAge})
}

// CORS adds the headers for cross-origin calls and responds to preflights.
func CORS(rules *cors.Cors) gin.HandlerFunc {
	return func(c *gin.Context) {
		rules.HandlerFunc(c.Writer, c.Request)
		if c.Request.Method == http.MethodOptions {
			c.Status(http.StatusNoContent)
			c.Writer.WriteHeaderNow()
			c.Abort()
		}
	}
}
