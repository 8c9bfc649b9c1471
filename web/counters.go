package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
)

// Counter counts up. It must be safe for concurrent use.
type Counter interface{ Inc() }

// Gauge counts up and down.
type Gauge interface {
	Counter
	Dec()
}

// Counters are the metrics of the engine. None of them is nil.
type Counters struct {
	Requests Counter
	Panics   Counter
	Shed     Counter // refused because of overload
	Failed   Counter // responses of 500 and above
	Running  Gauge   // requests without a response yet
	// Observe records the duration of a request. Method and route have a closed list of
	// values, whatever callers send.
	Observe func(method, route string, code int, took time.Duration)
}

type uncounted struct{}

func (uncounted) Inc() {}
func (uncounted) Dec() {}

// NoRoute is the route of every address without one.
const NoRoute = "none"

// otherMethod replaces every method that is not in methods.
const otherMethod = "other"

// methods are those recorded for a request without a route.
var methods = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodConnect, http.MethodTrace, otherMethod}

type route struct{ method, path string }

// routes are all routes of the engine.
type routes map[route]bool

func newRoutes(list gin.RoutesInfo) routes {
	all := routes{}
	for _, r := range list {
		all[route{r.Method, r.Path}] = true
		if r.Method == http.MethodGet {
			all[route{http.MethodHead, r.Path}] = true
		}
	}
	return all
}

// labels returns the method and the route template of a request, each from a closed list.
func (all routes) labels(c *gin.Context) (method, path string) {
	method, path = methodOf(c.Request), c.FullPath()
	if all[route{method, path}] {
		return method, path
	}
	if slices.Contains(methods[:], method) {
		return method, NoRoute
	}
	return otherMethod, NoRoute
}
