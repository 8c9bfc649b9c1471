package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// engine is the engine of gin, with HEAD wherever GET is.
type engine struct{ *gin.Engine }

// asHead marks the context of a HEAD request.
type asHead struct{}

// ServeHTTP serves HEAD as GET (RFC 9110 section 9.3.2): handlers see GET, and net/http, which
// keeps the request as it came, sends no body.
func (e engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		r = r.WithContext(context.WithValue(r.Context(), asHead{}, true))
		r.Method = http.MethodGet
	}
	e.Engine.ServeHTTP(w, r)
}

// methodOf returns the method as the caller sent it.
func methodOf(r *http.Request) string {
	if r.Method == http.MethodGet && r.Context().Value(asHead{}) != nil {
		return http.MethodHead
	}
	return r.Method
}

// allowHead completes the Allow header of a response of 405.
func allowHead(h http.Header) {
	allowed := strings.Split(h.Get("Allow"), ", ")
	for _, method := range allowed {
		if method == http.MethodGet {
			h.Set("Allow", strings.Join(append(allowed, http.MethodHead), ", "))
		}
	}
}
