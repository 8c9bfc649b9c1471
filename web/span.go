package web

import (
	"context"

	"github.com/gin-gonic/gin"
)

// Inbound is what a trace may know of a request: nothing that a caller wrote, except
// for the one header of a proxy that is trusted.
type Inbound struct {
	Method, Route string // out of closed lists, as those of Counters.Answered
	Correlation   string
	// Parent is the traceparent header (W3C Trace Context) of a request that comes from a
	// trusted proxy, whose trace may be continued; "" for anybody else's.
	Parent string
}

// Spanner begins the span of a request. It returns the context in which the request is
// served, and what is to be called with the status of its answer.
type Spanner func(ctx context.Context, in Inbound) (context.Context, func(code int))

// span is in the way only where requests are traced.
func (s *server) span(c *gin.Context) {
	in := Inbound{Correlation: Correlation(c)}
	in.Method, in.Route = s.places.labels(c)
	if peer, ok := parseAddress(c.Request.RemoteAddr); ok && s.trusted(peer) {
		in.Parent = c.GetHeader("Traceparent")
	}
	ctx, end := s.o.Span(c.Request.Context(), in)
	defer func() { end(c.Writer.Status()) }()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}
