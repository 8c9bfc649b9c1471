package metrics

// NewDeliveries registers the counters of attempts to send messages, at zero, and returns what
// counts one.
func NewDeliveries(s Set, kinds, results []string) func(kind, result string) {
	c := s.newCounterVec("deliveries_total", "Messages sent, and attempts that failed, by kind and result.", label{"kind", kinds}, label{"result", results})
	for _, kind := range kinds {
		for _, result := range results {
			c.WithLabelValues(kind, result)
		}
	}
	return func(kind, result string) { c.WithLabelValues(kind, result).Inc() }
}
