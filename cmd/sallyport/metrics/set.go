// Package metrics registers and counts the metrics of a server. No label comes from outside.
package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// other stands for a label that is in no list: a fault of ours, and never a text that
// came from outside.
const Other = "other"

// sheet is where metrics of ours are registered. An operator's query fails without a word
// when a name is not there, so that a metric that can not be registered is a panic.
type Set struct{ prometheus.Registerer }

func NewSet(reg *prometheus.Registry) Set {
	return Set{prometheus.WrapRegistererWithPrefix("sallyport_", reg)}
}

// of is the sheet for one value of a label.
func (s Set) With(label, value string) Set {
	return Set{prometheus.WrapRegistererWith(prometheus.Labels{label: value}, s)}
}

// counted is counted where it happens and read here.
func ReadCounter[N int64 | float64](s Set, name, help string, read func() N) {
	s.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
}

// gauged is read when somebody asks.
func ReadGauge[N int | int64 | float64](s Set, name, help string, read func() N) {
	s.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
}

func (s Set) NewCounter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	s.MustRegister(c)
	return c
}

// closedLabel is a label and all values it has. Any other is counted as other.
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

// counters are told apart by labels out of closed lists, so that nobody can add one.
func (s Set) newCounterVec(name, help string, labels ...label) *prometheus.CounterVec {
	var closed prometheus.ConstrainedLabels
	for _, l := range labels {
		closed = append(closed, prometheus.ConstrainedLabel{Name: l.name, Constraint: l.close})
	}
	c := prometheus.V2.NewCounterVec(prometheus.CounterVecOpts{CounterOpts: prometheus.CounterOpts{Name: name, Help: help}, VariableLabels: closed})
	s.MustRegister(c)
	return c
}

// fromZero are counters with one label that are all there before anything happened.
func (s Set) newZeroedVec(name, help, labelName string, values ...string) *prometheus.CounterVec {
	c := s.newCounterVec(name, help, label{labelName, values})
	for _, v := range values {
		c.WithLabelValues(v)
	}
	return c
}

// doubtful is a gauge that is not there while nobody knows its value.
type optionalGauge struct {
	desc *prometheus.Desc
	read func() (float64, error)
}

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

// cached asks for something at most once in a while, and waits only so long: whoever
// reads metrics every second must not become a load, and a database that hangs must
// not keep the metrics from telling it.
type Cached[T any] struct {
	Now        func() time.Time
	Keep, Wait time.Duration
	Read       func(context.Context) (T, error)

	mu    sync.Mutex
	at    time.Time
	value T
	err   error
}

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
