package web

import (
	"cmp"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

// NoRoute stands for the route of every address that has none.
const NoRoute = "none"

// otherMethod stands for every method that is none of methods.
const otherMethod = "other"

// methods a request without a route is told apart by.
var methods = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodConnect, http.MethodTrace, otherMethod}

// classes of an answer's status; one below 200 is never the last word.
var classes = [...]string{"2xx", "3xx", "4xx", "5xx"}

// bounds of the times that are told apart.
var bounds = [...]time.Duration{time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second}

// Timing is how long the answers of one route, method and class took.
type Timing struct {
	Route, Method, Class string
	UpTo                 []uint64 // answers that took at most the bound of the same index; the last: all
	Sum                  time.Duration
}

// TimingBounds returns the bounds of a Timing, in ascending order.
func TimingBounds() []time.Duration { return slices.Clone(bounds[:]) }

type routeKey struct{ method, route string }

// timings has a place for every route there is, so that counting needs no lock and a
// caller can not make it grow.
type timings map[routeKey]*[len(classes)]timing

type timing struct {
	counts [len(bounds) + 1]atomic.Uint64
	sum    atomic.Int64
}

func newTimings(routes gin.RoutesInfo) timings {
	t := timings{}
	for _, m := range methods {
		t[routeKey{m, NoRoute}] = new([len(classes)]timing)
	}
	for _, r := range routes {
		t[routeKey{r.Method, r.Path}] = new([len(classes)]timing)
	}
	return t
}

// labels of a request: its method and its route's template, both out of closed lists.
func (t timings) labels(method, route string) (string, string) {
	if _, ok := t[routeKey{method, route}]; ok {
		return method, route
	}
	if slices.Contains(methods[:], method) {
		return method, NoRoute
	}
	return otherMethod, NoRoute
}

func (t timings) count(method, route string, code int, took time.Duration) {
	of := t[routeKey{method, route}]
	if of == nil {
		method, route = t.labels(method, route)
		of = t[routeKey{method, route}]
	}
	x := &of[min(max(code/100, 2), 5)-2]
	i := 0
	for i < len(bounds) && took > bounds[i] {
		i++
	}
	x.counts[i].Add(1)
	x.sum.Add(int64(took))
}

// Timings returns those that have an answer in them.
func (c *Counters) Timings() []Timing {
	var out []Timing
	for key, of := range c.timings {
		for i := range of {
			t := Timing{Route: key.route, Method: key.method, Class: classes[i], UpTo: make([]uint64, len(bounds)+1)}
			n := uint64(0)
			for j := range of[i].counts {
				n += of[i].counts[j].Load()
				t.UpTo[j] = n
			}
			if t.Sum = time.Duration(of[i].sum.Load()); n > 0 {
				out = append(out, t)
			}
		}
	}
	slices.SortFunc(out, func(a, b Timing) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Class, b.Class))
	})
	return out
}
