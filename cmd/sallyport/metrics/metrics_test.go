package metrics

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A response counts in every bucket whose bound it does not exceed, and counting allocates nothing.
func TestResponsesAreTimed(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := NewWebCounters(NewSet(reg))
	for _, took := range []time.Duration{time.Millisecond, 1001 * time.Microsecond, 70 * time.Millisecond, 6 * time.Second} {
		c.Observe("GET", "/task/:ms", 204, took)
	}
	c.Observe("GET", "/task/:ms", 101, 0)
	c.Observe("GET", "/task/:ms", 700, 0)
	if n := testing.AllocsPerRun(100, func() { c.Observe("POST", "none", 303, 0); c.Running.Inc(); c.Requests.Inc() }); n != 0 {
		t.Errorf("%v allocations for one more response, want none", n)
	}
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*dto.Histogram{}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			if f.GetName() == "sallyport_http_request_duration_seconds" {
				got[fmt.Sprint(m.GetLabel()[1].GetValue(), m.GetLabel()[2].GetValue(), m.GetLabel()[0].GetValue())] = m.GetHistogram()
			}
		}
	}
	if len(got) != 3 || got["POSTnone3xx"] == nil || got["GET/task/:ms5xx"] == nil || got["GET/task/:ms2xx"] == nil {
		t.Fatalf("the histograms are %v", got)
	}
	times := got["GET/task/:ms2xx"]
	var upTo []string
	for _, b := range times.GetBucket() {
		upTo = append(upTo, fmt.Sprint(b.GetUpperBound(), ":", b.GetCumulativeCount()))
	}
	want := []string{"0.001:2", "0.0025:3", "0.005:3", "0.01:3", "0.025:3", "0.05:3", "0.1:4", "0.25:4", "0.5:4", "1:4", "2.5:4", "5:4"}
	if sum := times.GetSampleSum(); !slices.Equal(upTo, want) || times.GetSampleCount() != 5 || math.Abs(sum-6.072001) > 1e-9 {
		t.Errorf("%v of %d took %v, want %v of 5 and 6.072001", upTo, times.GetSampleCount(), sum, want)
	}
}

// A scrape reads again only after a time, and bounds how long it waits.
func TestScrapedValuesAreCached(t *testing.T) {
	now, reads := time.Unix(1000, 0), 0
	c := Cached[int]{Now: func() time.Time { return now }, Keep: time.Minute, Wait: time.Second,
		Read: func(ctx context.Context) (int, error) {
			if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Second {
				t.Error("the wait has no deadline")
			}
			reads++
			if reads == 3 {
				return 0, fmt.Errorf("away")
			}
			return reads, nil
		}}
	for i, want := range []struct {
		after  time.Duration
		value  int
		failed bool
	}{{0, 1, false}, {59 * time.Second, 1, false}, {time.Second, 2, false}, {time.Minute, 0, true}, {time.Second, 0, true}, {time.Minute, 4, false}} {
		now = now.Add(want.after)
		if got, err := c.Get(); got != want.value || (err != nil) != want.failed {
			t.Errorf("read %d: %d, %v, want %+v", i, got, err, want)
		}
	}
}
