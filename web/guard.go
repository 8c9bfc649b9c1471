package web

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"
)

// access writes one log line for each request, with the route's template instead of the
// address: the query may hold a request's id (B-8, L-1). A refusal has a second line.
func (s *server) access(c *gin.Context) {
	start := s.now()
	c.Next()
	code := c.Writer.Status()
	if code >= http.StatusInternalServerError {
		s.counters.Failed.Inc()
	}
	took := s.now().Sub(start)
	method, route := s.routes.labels(c) // a caller may send any word as a method
	s.counters.Observe(method, route, code, took)
	k := callOf(c)
	s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "request",
		slog.String("method", method), slog.String("route", c.FullPath()), slog.Int("code", code),
		slog.Int("bytes", max(0, c.Writer.Size())), slog.Duration("took", took),
		slog.String("address", k.address), slog.String("correlation_id", k.correlation))
	s.logRefusal(c, method, code)
}

// recover turns a panic into a response of 500 and a log line; the process continues.
func (s *server) recover(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p) // aborts the connection
		}
		s.counters.Panics.Inc()
		s.log.LogAttrs(c.Request.Context(), slog.LevelError, "panic", slog.String("route", c.FullPath()),
			slog.String("cause", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())),
			slog.String("correlation_id", Correlation(c)))
		if !c.Writer.Written() {
			s.refuse(c, Fault{Status: http.StatusInternalServerError, Code: CodeServerError, Reason: "something went wrong here"})
		}
		c.Abort()
	}()
	c.Next()
}

// Features is the Permissions-Policy: browser features that no page uses. Pages do use
// clipboard-write and passkeys.
const Features = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"

// standard returns the headers of every response (H-3, H-4). There is no
// Cross-Origin-Opener-Policy, which would cut off a login in a popup window from the page that
// opened it; surfaces outside of logins use Isolated.
func standard(secure bool) http.Header {
	h := http.Header{}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", Features)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return h
}

// headers sets the headers of every response. Surfaces replace the policy for pages and the
// caching of public documents; the values are shared by all responses, so none changes one in
// place.
func (s *server) headers(c *gin.Context) {
	maps.Copy(c.Writer.Header(), s.standard)
	c.Next()
}

// Isolated separates pages from the window that opened them and from those they open. It is
// not for pages of a login: a library that opens a login in a popup window would take the
// window for closed.
func Isolated(c *gin.Context) {
	c.Header("Cross-Origin-Opener-Policy", "same-origin")
	c.Next()
}

// valve refuses requests beyond the rate that the process can serve. It does not limit
// guessing; counters in the database do.
func (s *server) valve(c *gin.Context) {
	if !s.limiter.AllowN(s.now(), 1) {
		s.counters.Shed.Inc()
		c.Header("Retry-After", "1")
		s.refuse(c, Fault{Status: http.StatusServiceUnavailable, Code: CodeOverloaded, Reason: "too many requests at once"})
		return
	}
	c.Next()
}

// deadline ends the work for a request whose caller has given up (H-10).
func (s *server) deadline(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.o.Timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}
