package web

import (
	"context"

	"github.com/gin-gonic/gin"
)

// Inbound is what a trace records of a request: nothing that the caller wrote, except for
// one header of a trusted proxy.
type Inbound struct {
	Method, Route string // from closed lists, as those of Counters.Observe
	Correlation   string
	// Parent is the traceparent header (W3C Trace Context) of a trusted proxy, whose trace
	// the request may continue; "": none.
	Parent string
}

// Spanner begins the span of a request. It returns the context for the request, and the
// function to call with the status of the response.
type Spanner func(ctx context.Context, in Inbound) (context.Context, func(code int))

// span is middleware only if requests are traced.
func (s *server) span(c *gin.Context) {
	in := Inbound{Correlation: Correlation(c)}
	in.Method, in.Route = s.routes.labels(c)
	if peer, ok := parseAddress(c.Request.RemoteAddr); ok && s.trusted(peer) {
		in.Parent = c.GetHeader("Traceparent")
	}
	ctx, end := s.o.Span(c.Request.Context(), in)
	defer func() { end(c.Writer.Status()) }()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}
