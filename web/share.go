package web

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// shareAge is how many seconds a browser may keep the answer to a preflight.
const shareAge = 600

// Calls are the rules for pages of registered origins. A preflight names an origin and
// no client, so it is answered for every origin some client registered; the call itself
// is judged by its own client. Never with credentials: no page but ours may send our
// cookies (H-6).
func Calls(registered func(ctx context.Context, origin string) bool, o cors.Options) *cors.Cors {
	o.AllowOriginVaryRequestFunc = func(r *http.Request, origin string) (bool, []string) {
		return registered(r.Context(), origin), nil
	}
	o.MaxAge = shareAge
	return cors.New(o)
}

// Reads are the rules for what anybody's page may read.
func Reads() *cors.Cors {
	return cors.New(cors.Options{AllowedOrigins: []string{"*"}, AllowedMethods: []string{http.MethodGet, http.MethodHead}, MaxAge: shareAge})
}

// Shared adds the headers of cross-origin calls and answers preflights.
func Shared(rules *cors.Cors) gin.HandlerFunc {
	return func(c *gin.Context) {
		rules.HandlerFunc(c.Writer, c.Request)
		if c.Request.Method == http.MethodOptions {
			c.Status(http.StatusNoContent)
			c.Writer.WriteHeaderNow()
			c.Abort()
		}
	}
}
