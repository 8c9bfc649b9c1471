package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"
)

// access writes one line a request: the route's template instead of the address,
// never the query, which may hold what opens a request (B-8, L-1).
func (s *server) access(c *gin.Context) {
	start := s.now()
	c.Next()
	code := c.Writer.Status()
	if code >= http.StatusInternalServerError {
		s.counters.Failed.Inc()
	}
	took := s.now().Sub(start)
	method, route := s.places.labels(c) // any word may stand in the place of a method
	s.counters.Answered(method, route, code, took)
	k := callOf(c)
	s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "request",
		slog.String("method", method), slog.String("route", c.FullPath()), slog.Int("code", code),
		slog.Int("bytes", max(0, c.Writer.Size())), slog.Duration("took", took),
		slog.String("address", k.address), slog.String("correlation_id", k.correlation))
}

// recover turns a panic into a 500 and a log entry; the process lives on.
func (s *server) recover(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p) // net/http's own way of cutting a connection
		}
		s.counters.Panics.Inc()
		s.log.LogAttrs(c.Request.Context(), slog.LevelError, "panic", slog.String("route", c.FullPath()),
			slog.String("cause", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())),
			slog.String("correlation_id", Correlation(c)))
		if !c.Writer.Written() {
			s.refuse(c, Fault{http.StatusInternalServerError, "something went wrong here"})
		}
		c.Abort()
	}()
	c.Next()
}

// Features is the Permissions-Policy: what no page of ours asks a browser for. Copying (clipboard-write) and
// passkeys are not among them.
const Features = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"

// headers are those of every answer (H-3, H-4). Surfaces replace the policy of a
// page and the caching of what may be kept. There is no Cross-Origin-Opener-Policy:
// it would cut a login in a popup window off from the page that opened it. Surfaces
// that no login passes have Isolated.
func (s *server) headers(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", Features)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	if s.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	c.Next()
}

// Isolated keeps pages apart from the window that opened them, and from those they open:
// neither can move the other nor look into it. It is for pages that no login passes: a
// library that opens a login in a popup takes the window for closed when it is cut off.
func Isolated(c *gin.Context) {
	c.Header("Cross-Origin-Opener-Policy", "same-origin")
	c.Next()
}

// valve sheds what this process could not serve in time anyway. It protects the
// process; guessing is bounded by counters in the database.
func (s *server) valve(c *gin.Context) {
	if !s.limiter.AllowN(s.now(), 1) {
		s.counters.Shed.Inc()
		c.Header("Retry-After", "1")
		s.refuse(c, Fault{http.StatusServiceUnavailable, "too many requests at once"})
		return
	}
	c.Next()
}

// deadline ends the work for a request nobody waits for any more (H-10).
func (s *server) deadline(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.o.Timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}
