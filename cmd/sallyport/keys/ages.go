package keys

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sallyport/config"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Ages is a metric: how long each key has been in use. Labels come from closed lists, so that
// a newer server on the same database adds none.
type Ages struct {
	keyring *seal.Keyring
	now     func() time.Time
	desc    *prometheus.Desc
}

// NewAges returns the metric of the keys in a keyring.
func NewAges(keyring *seal.Keyring, now func() time.Time) Ages {
	return Ages{keyring, now, prometheus.NewDesc("sallyport_key_age_seconds",
		"How long the key in use of each use and algorithm has been in use.", []string{"use", "alg"}, nil)}
}

// Describe implements prometheus.Collector.
func (a Ages) Describe(to chan<- *prometheus.Desc) { to <- a.desc }

// Collect implements prometheus.Collector.
func (a Ages) Collect(to chan<- prometheus.Metric) {
	now := a.now()
	newest := map[[2]string]storage.Key{}
	for _, k := range a.keyring.Rows() {
		of := [2]string{k.Use, k.Alg}
		if !seal.Published(k.Use) {
			of[1] = "" // one key a use, whatever its algorithm
		}
		if !slices.Contains(seal.Uses(), k.Use) || of[1] != "" && !slices.Contains(config.Algorithms(), k.Alg) || State(k, now) != "in use" {
			continue
		}
		if had, ok := newest[of]; !ok || k.ActiveAt.After(had.ActiveAt) {
			newest[of] = k
		}
	}
	for of, k := range newest {
		to <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, now.Sub(k.ActiveAt).Seconds(), of[0], of[1])
	}
}
