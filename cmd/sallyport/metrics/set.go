// Package metrics registers and counts the metrics of a server. No label comes from outside.
package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Other replaces a label value that is in no list, which is a programming error: no text
// from outside becomes a label.
const Other = "other"

// Set registers metrics under the prefix sallyport_. A metric that cannot be registered is a
// panic, because a query for a missing name fails silently.
type Set struct{ prometheus.Registerer }

// NewSet returns the set of a registry.
func NewSet(reg *prometheus.Registry) Set {
	return Set{prometheus.WrapRegistererWithPrefix("sallyport_", reg)}
}

// With returns the set for one value of a label.
func (s Set) With(label, value string) Set {
	return Set{prometheus.WrapRegistererWith(prometheus.Labels{label: value}, s)}
}

// ReadCounter registers a counter that a scrape reads.
func ReadCounter[N int64 | float64](s Set, name, help string, read func() N) {
	s.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
}

// ReadGauge registers a gauge that a scrape reads.
func ReadGauge[N int | int64 | float64](s Set, name, help string, read func() N) {
	s.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
}

// NewCounter registers a counter.
func (s Set) NewCounter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	s.MustRegister(c)
	return c
}

// label is a label with all its values. Any other value is counted as Other.
type label struct {
	name   string
	values []string
}

func (l label) close(value string) string {
	if slices.Contains(l.values, value) {
		return value
	}
	return Other
}

// newCounterVec registers counters whose labels come from closed lists.
func (s Set) newCounterVec(name, help string, labels ...label) *prometheus.CounterVec {
	var closed prometheus.ConstrainedLabels
	for _, l := range labels {
		closed = append(closed, prometheus.ConstrainedLabel{Name: l.name, Constraint: l.close})
	}
	c := prometheus.V2.NewCounterVec(prometheus.CounterVecOpts{CounterOpts: prometheus.CounterOpts{Name: name, Help: help}, VariableLabels: closed})
	s.MustRegister(c)
	return c
}

// newZeroedVec registers counters with one label, each of them at zero.
func (s Set) newZeroedVec(name, help, labelName string, values ...string) *prometheus.CounterVec {
	c := s.newCounterVec(name, help, label{labelName, values})
	for _, v := range values {
		c.WithLabelValues(v)
	}
	return c
}

// optionalGauge is a gauge that is absent while its value is unknown.
type optionalGauge struct {
	desc *prometheus.Desc
	read func() (float64, error)
}

// OptionalGauge registers a gauge that is absent while read fails.
func (s Set) OptionalGauge(name, help string, read func() (float64, error)) {
	s.MustRegister(optionalGauge{prometheus.NewDesc(name, help, nil, nil), read})
}

// Describe implements prometheus.Collector.
func (d optionalGauge) Describe(to chan<- *prometheus.Desc) { to <- d.desc }

// Collect implements prometheus.Collector.
func (d optionalGauge) Collect(to chan<- prometheus.Metric) {
	if value, err := d.read(); err == nil {
		to <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, value)
	}
}

// Cached reads a value at most once in a while and waits for it only so long: frequent
// scrapes must not become a load, and a database that hangs must not block the metrics that
// report it.
type Cached[T any] struct {
	Now        func() time.Time
	Keep, Wait time.Duration
	Read       func(context.Context) (T, error)

	mu    sync.Mutex
	at    time.Time
	value T
	err   error
}

// Get returns the value, or the error of the last reading.
func (c *Cached[T]) Get() (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || c.Now().Sub(c.at) >= c.Keep {
		ctx, cancel := context.WithTimeout(context.Background(), c.Wait)
		defer cancel()
		c.value, c.err = c.Read(ctx)
		c.at = c.Now()
	}
	return c.value, c.err
}
