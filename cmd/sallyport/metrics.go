package main

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sallyport/storage"
	"sallyport/web"
)

const (
	askWait    = time.Second      // for what a scrape asks the database
	keepClock  = 5 * time.Second  // how long the answers are good
	keepOutbox = 60 * time.Second // counting dead letters reads the whole outbox
)

// measure registers what the rooms count themselves and is read here; docs/metrics.md
// describes it. No label comes from outside.
func (h *house) measure(reg *prometheus.Registry) {
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newKeyAges(h.keyring, h.now))
	s := newSheet(reg)
	h.measureStarts(s)
	h.measureHashes(s)
	h.measureDatabase(s)
	h.measureChores(s)
	h.measureState(s)
	h.traces.measure(s)
}

// webCounters are what the engine counts on.
func webCounters(s sheet) *web.Counters {
	times := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds",
		Help:    "How long answers took, by the route's template, the method and the class of the status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"route", "method", "class"})
	running := prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_requests_running", Help: "Requests that have no answer yet."})
	s.MustRegister(times, running)
	classes := [...]string{"2xx", "3xx", "4xx", "5xx"} // one below 200 is never the last word
	return &web.Counters{
		Requests: s.counter("http_requests_total", "Requests on the public listener."),
		Failed:   s.counter("http_failed_total", "Answers of 500 and above."),
		Shed:     s.counter("http_shed_total", "Requests refused because the server was flooded."),
		Panics:   s.counter("http_panics_total", "Handlers that panicked."),
		Running:  running,
		Answered: func(method, route string, code int, took time.Duration) {
			times.WithLabelValues(route, method, classes[min(max(code/100, 2), 5)-2]).Observe(took.Seconds())
		},
	}
}

// measureStarts is about what anybody may do who has proven nothing: it is counted, and not
// written down each time.
func (h *house) measureStarts(s sheet) {
	counted(s, "logins_started_total", "Logins that were begun and could not be answered out of a session.", h.provider.Started)
	counted(s, "client_failures_total", "Times a client could not authenticate itself.", h.provider.ClientFailures)
	counted(s, "initiations_total", "Tries at a second factor, or at what stands in for a password, that were begun.", h.verifier.Initiations)
	for budget := range h.budgets.Refused() {
		counted(s.of("budget", budget), "over_budget_total", "What was refused because too much of it came from one address or network.",
			func() int64 { return h.budgets.Refused()[budget] })
	}
}

func (h *house) measureHashes(s sheet) {
	load := h.password.Load
	gauged(s, "argon2_running", "Password hashes that are computed now.", func() int { return load().Running })
	gauged(s, "argon2_places", "Password hashes that may be computed at once.", func() int { return load().Parallel })
	gauged(s, "argon2_waiting", "Sign-ins that wait for their turn.", func() int { return load().Waiting })
	gauged(s, "argon2_queue_places", "Sign-ins that may wait.", func() int { return load().Queue })
	counted(s, "argon2_refused_total", "Sign-ins turned away because too many waited, or too many of one network.", func() int64 { return load().Refused })
}

func (h *house) measureDatabase(s sheet) {
	stats, connections := h.store.Stats, h.store.Connections
	counted(s, "database_statements_total", "Statements sent to the database.", func() int64 { return stats().Statements })
	counted(s, "database_commits_total", "Transactions committed.", func() int64 { return stats().Commits })
	counted(s, "database_retries_total", "Transactions run again after a deadlock or a serialization failure.", func() int64 { return stats().Retries })
	failed := func(reason string, read func() int64) {
		counted(s.of("reason", reason), "database_errors_total", "Calls of the database that failed, by why.", read)
	}
	failed("no_connection", func() int64 { return stats().NoConnection })
	failed("cancelled", func() int64 { return stats().Cancelled })
	failed("timeout", func() int64 { return stats().TimedOut })
	failed("failed", func() int64 { return stats().Failed })
	gauged(s, "database_connections_limit", "Connections there may be.", func() int { return connections().Most })
	gauged(s, "database_connections_open", "Connections there are.", func() int { return connections().Open })
	gauged(s, "database_connections_busy", "Connections in use.", func() int { return connections().Busy })
	gauged(s, "database_connections_idle", "Connections open and not in use.", func() int { return connections().Idle })
	counted(s, "database_waits_total", "Calls that had to wait for a connection.", func() int64 { return stats().Waits })
	counted(s, "database_wait_seconds_total", "How long they waited, together.", func() float64 { return stats().Waited.Seconds() })
}

// measureChores is about what is done beside the requests.
func (h *house) measureChores(s sheet) {
	for table := range h.store.Swept() {
		counted(s.of("table", table), "sweep_rows_total", "Expired rows removed, by table.", func() int64 { return h.store.Swept()[table] })
	}
	gauged(s, "sweep_last_success_timestamp_seconds", "When all expired rows were removed last, or when the server started.", h.sweptAt.Load)
	gauged(s, "journal_waiting", "Events that wait to be written.", func() int { n, _ := h.journal.Backlog(); return n })
	counted(s, "journal_lost_total", "Events lost because too many waited.", func() int64 { _, n := h.journal.Backlog(); return n })
	outbox := &cached[storage.OutboxState]{now: h.now, keep: keepOutbox, wait: askWait,
		ask: func(ctx context.Context) (storage.OutboxState, error) { return h.store.OutboxState(ctx, h.now()) }}
	for state, count := range map[string]func(storage.OutboxState) int{
		"untried":  func(o storage.OutboxState) int { return o.Waiting - o.Retrying },
		"retrying": func(o storage.OutboxState) int { return o.Retrying },
		"dead":     func(o storage.OutboxState) int { return o.Dead },
	} {
		s.of("state", state).doubtful("outbox_messages", "Messages that are not delivered, by why not. Counts end at 10,000.",
			func() (float64, error) { o, err := outbox.get(); return float64(count(o)), err })
	}
	s.doubtful("outbox_oldest_seconds", "How old the oldest message is that can still be delivered; 0: there is none.", func() (float64, error) {
		o, err := outbox.get()
		if err != nil || o.Oldest.IsZero() {
			return 0, err
		}
		return max(h.now().Sub(o.Oldest).Seconds(), 0), nil
	})
}

// measureState says whether this server is fit to serve.
func (h *house) measureState(s sheet) {
	skew := &cached[time.Duration]{now: h.now, keep: keepClock, wait: askWait, ask: h.health.skew}
	gauged(s, "ready", "1 if the server should get requests.", func() int {
		by, err := skew.get()
		if err != nil || by > skewServing || h.health.leaving.Load() {
			return 0
		}
		return 1
	})
	s.doubtful("clock_skew_seconds", "How far this server's clock is from the database's.",
		func() (float64, error) { by, err := skew.get(); return by.Seconds(), err })
	if info, ok := debug.ReadBuildInfo(); ok {
		revision := ""
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
		gauged(s.of("version", info.Main.Version).of("revision", revision).of("go", info.GoVersion),
			"build_info", "1, with what was built as labels.", func() int { return 1 })
	}
}
