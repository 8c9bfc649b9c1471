package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/web"
)

// family is a metric that is counted where it happens and read when it is asked for.
type family struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
	read       func(emit func(value float64, labels ...string))
}

// counter is a counter without labels.
func counter(name, help string, read func() int64) family {
	return family{name, help, prometheus.CounterValue, nil, func(emit func(float64, ...string)) { emit(float64(read())) }}
}

// gauge is a gauge without labels.
func gauge(name, help string, read func() float64) family {
	return family{name, help, prometheus.GaugeValue, nil, func(emit func(float64, ...string)) { emit(read()) }}
}

// labelled are counters with one label or two.
func labelled(name, help string, c closedCounts, labels ...string) family {
	return family{name, help, prometheus.CounterValue, labels, func(emit func(float64, ...string)) {
		for key, n := range c {
			value := n.Load()
			// What is in no list is shown only where it was counted, and all there can be
			// of two long lists only where it happened.
			if value == 0 && (key[0] == other || key[1] == other || len(c) > 100) {
				continue
			}
			emit(float64(value), key[:len(labels)]...)
		}
	}}
}

// described is a family with what the library knows it by.
type described struct {
	family
	desc *prometheus.Desc
}

// families is a prometheus.Collector.
type families []described

func collect(all ...family) families {
	out := make(families, len(all))
	for i, f := range all {
		out[i] = described{f, prometheus.NewDesc("sallyport_"+f.name, f.help, f.labels, nil)}
	}
	return out
}

// Describe implements prometheus.Collector.
func (fs families) Describe(to chan<- *prometheus.Desc) {
	for _, f := range fs {
		to <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (fs families) Collect(to chan<- prometheus.Metric) {
	for _, f := range fs {
		f.read(func(value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
		})
	}
}

// times are the durations of answers, as a prometheus.Collector.
type times struct {
	counters *web.Counters
	desc     *prometheus.Desc
}

func newTimes(c *web.Counters) times {
	return times{c, prometheus.NewDesc("sallyport_http_request_duration_seconds",
		"How long answers took, by the route's template, the method and the class of the status.", []string{"route", "method", "class"}, nil)}
}

// Describe implements prometheus.Collector.
func (t times) Describe(to chan<- *prometheus.Desc) { to <- t.desc }

// Collect implements prometheus.Collector.
func (t times) Collect(to chan<- prometheus.Metric) {
	bounds := web.TimingBounds()
	for _, x := range t.counters.Timings() {
		upTo := make(map[float64]uint64, len(bounds))
		for i, bound := range bounds {
			upTo[bound.Seconds()] = x.UpTo[i]
		}
		to <- prometheus.MustNewConstHistogram(t.desc, x.UpTo[len(bounds)], x.Sum.Seconds(), upTo, x.Route, x.Method, x.Class)
	}
}

// cached asks for something at most once in a while, and waits only so long: whoever
// reads metrics every second must not become a load, and a database that hangs must
// not keep the metrics from telling it.
type cached[T any] struct {
	now        func() time.Time
	keep, wait time.Duration
	ask        func(context.Context) (T, error)

	mu    sync.Mutex
	at    time.Time
	value T
	err   error
}

func (c *cached[T]) get() (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || c.now().Sub(c.at) >= c.keep {
		ctx, cancel := context.WithTimeout(context.Background(), c.wait)
		defer cancel()
		c.value, c.err = c.ask(ctx)
		c.at = c.now()
	}
	return c.value, c.err
}
