package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
)

// Counter counts up. It is used from many goroutines at once.
type Counter interface{ Inc() }

// Gauge counts up and down.
type Gauge interface {
	Counter
	Dec()
}

// Counters are told what the engine does. All of them are there.
type Counters struct {
	Requests Counter
	Panics   Counter
	Shed     Counter // refused by the valve
	Failed   Counter // answers of 500 and above
	Running  Gauge   // requests that have no answer yet
	// Answered is told how long each answer took. Method and route are out of closed
	// lists: whatever callers send, there are as many as there are places.
	Answered func(method, route string, code int, took time.Duration)
}

type uncounted struct{}

func (uncounted) Inc() {}
func (uncounted) Dec() {}

// NoRoute stands for the route of every address that has none.
const NoRoute = "none"

// otherMethod stands for every method that is none of methods.
const otherMethod = "other"

// methods a request without a route is told apart by.
var methods = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodConnect, http.MethodTrace, otherMethod}

type place struct{ method, route string }

// places are all routes there are.
type places map[place]bool

func newPlaces(routes gin.RoutesInfo) places {
	p := places{}
	for _, r := range routes {
		p[place{r.Method, r.Path}] = true
	}
	return p
}

// labels of a request: its method and its route's template, both out of closed lists.
func (p places) labels(c *gin.Context) (method, route string) {
	method, route = c.Request.Method, c.FullPath()
	if p[place{method, route}] {
		return method, route
	}
	if slices.Contains(methods[:], method) {
		return method, NoRoute
	}
	return otherMethod, NoRoute
}
