package bench

import (
	"math"
	"slices"
	"time"
)

// figure is a measured value: of the whole run, and of its parts, whose range is the noise.
type figure struct {
	Value  float64 `json:"value"`
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// column is a kind of figure.
type column struct {
	key    string
	digits int // after the point
	better int // 1: more is better, -1: less is
}

// columns are all kinds, in the order of the tables.
var columns = []column{
	{"ops/s", 0, 1}, {"of-limit-%", 0, 1}, {"p50-ms", 2, -1}, {"p95-ms", 2, -1}, {"p99-ms", 2, -1}, {"server-us", 0, -1}, {"database-us", 0, -1},
	{"statements", 2, -1}, {"commits", 2, -1}, {"wal-bytes", 0, -1}, {"objects", 0, -1}, {"bytes", 0, -1}, {"rss-MiB", 1, -1},
	{"goodput-%", 0, 1}, {served, 0, 1}, {refused, 0, -1}, {"slowest-ms", 0, -1},
	{"served/s", 1, 1}, {"refused/s", 1, -1}, {"failed/s", 1, -1}, {"served-p50-ms", 0, -1}, {"served-p99-ms", 0, -1},
	{"alone-p50-ms", 0, -1}, {"alone-p99-ms", 0, -1}, {"refused-p50-ms", 0, -1}, {"refused-p99-ms", 0, -1}, {"discovery-p50-ms", 1, -1}, {"discovery-p99-ms", 1, -1}, {"refresh-p50-ms", 1, -1}, {"refresh-p99-ms", 1, -1},
}

// summarize returns the figures of a run by their columns.
func summarize(samples []sample, marks []mark) map[string]figure {
	slices.SortFunc(samples, func(a, b sample) int { return int(a.ended - b.ended) })
	return spread(len(marks)-1, func(from, to int) map[string]float64 { return between(samples, marks[from], marks[to]) })
}

// spread returns figures of the whole, and their range over its parts. of returns the figures
// from the beginning of one part to that of another.
func spread(count int, of func(from, to int) map[string]float64) map[string]figure {
	values := map[string][]float64{}
	for i := range count {
		for key, v := range of(i, i+1) {
			values[key] = append(values[key], v)
		}
	}
	out := map[string]figure{}
	for key, v := range of(0, count) {
		all := values[key]
		slices.Sort(all)
		out[key] = figure{Value: v, Min: all[0], Median: percentile(all, 0.5), Max: all[len(all)-1]}
	}
	return out
}

// between returns the figures of the time between two marks. samples are in the order in which they ended.
func between(samples []sample, from, to mark) map[string]float64 {
	first := endedBy(samples, from.at)
	samples = samples[first:endedBy(samples, to.at)]
	n, seconds := float64(len(samples)), (to.at - from.at).Seconds()
	out := map[string]float64{"ops/s": n / seconds, "refused/s": float64(to.refused-from.refused) / seconds}
	if n == 0 {
		return out // nothing else is known
	}
	took := make([]float64, len(samples))
	for i, s := range samples {
		took[i] = milliseconds(s.took)
	}
	slices.Sort(took)
	out["p50-ms"], out["p95-ms"], out["p99-ms"] = percentile(took, 0.5), percentile(took, 0.95), percentile(took, 0.99)
	out["server-us"] = float64((to.used.CPU - from.used.CPU).Microseconds()) / n
	out["statements"] = float64(to.used.Statements-from.used.Statements) / n
	out["commits"] = float64(to.used.Commits-from.used.Commits) / n
	out["objects"] = float64(to.used.Objects-from.used.Objects) / n
	out["bytes"] = float64(to.used.Bytes-from.used.Bytes) / n
	out["rss-MiB"] = float64(to.used.RSS) / (1 << 20)
	if to.used.database != (databaseUsage{}) {
		out["database-us"] = float64((to.used.database.CPU - from.used.database.CPU).Microseconds()) / n
		out["wal-bytes"] = float64(to.used.database.WAL-from.used.database.WAL) / n
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// endedBy returns how many samples had ended at a time.
func endedBy(samples []sample, at time.Duration) int {
	n, _ := slices.BinarySearchFunc(samples, at, func(s sample, at time.Duration) int {
		if s.ended <= at {
			return -1
		}
		return 1
	})
	return n
}

// percentile returns the smallest of sorted values that a share of them does not exceed.
func percentile(sorted []float64, share float64) float64 {
	at := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[max(0, at)]
}

// percentiles sorts values and returns two of their percentiles.
func percentiles(values []float64) (p50, p99 float64) {
	slices.Sort(values)
	return percentile(values, 0.5), percentile(values, 0.99)
}

// verdict compares a figure with an older one.
type verdict struct {
	ratio float64 // new by old
	mark  string  // worse, better, or "": within the noise
}

const (
	worse  = "-"
	better = "+"
	// least is the smallest change that is one.
	least = 0.01
)

// compare says by how much a figure changed. A change is beyond the noise if the parts of
// both runs do not overlap.
func compare(was, is figure, direction int) verdict {
	if was.Value == 0 {
		if is.Value == 0 {
			return verdict{ratio: 1}
		}
		was.Value = is.Value / 1e6 // a ratio that shows
	}
	v := verdict{ratio: is.Value / was.Value}
	var up bool
	switch {
	case v.ratio >= 1-least && v.ratio <= 1+least:
		return v
	case is.Min > was.Max:
		up = true
	case is.Max < was.Min:
	default:
		return v
	}
	v.mark = worse
	if up == (direction > 0) {
		v.mark = better
	}
	return v
}
