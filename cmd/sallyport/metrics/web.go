package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/web"
)

// NewWebCounters registers what package web counts.
func NewWebCounters(s Set) *web.Counters {
	times := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds",
		Help:    "How long responses took, by the route's template, the method and the class of the status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"route", "method", "class"})
	running := prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_requests_running", Help: "Requests without a response yet."})
	s.MustRegister(times, running)
	classes := [...]string{"2xx", "3xx", "4xx", "5xx"} // a status below 200 is never the last
	return &web.Counters{
		Requests: s.NewCounter("http_requests_total", "Requests on the public listener."),
		Failed:   s.NewCounter("http_failed_total", "Responses with status 500 and above."),
		Shed:     s.NewCounter("http_shed_total", "Requests refused because the server was flooded."),
		Panics:   s.NewCounter("http_panics_total", "Handlers that panicked."),
		Running:  running,
		Observe: func(method, route string, code int, took time.Duration) {
			times.WithLabelValues(route, method, classes[min(max(code/100, 2), 5)-2]).Observe(took.Seconds())
		},
	}
}
