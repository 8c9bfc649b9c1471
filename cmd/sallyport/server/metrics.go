package server

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sallyport/cmd/sallyport/keys"
	"sallyport/cmd/sallyport/metrics"
	"sallyport/storage"
)

const (
	askWait    = time.Second      // for what a scrape asks the database
	keepClock  = 5 * time.Second  // how long the answers are good
	keepOutbox = 60 * time.Second // counting dead letters reads the whole outbox
)

// measure registers what the rooms count themselves and is read here; docs/metrics.md
// describes it. No label comes from outside.
func (h *Server) registerMetrics(reg *prometheus.Registry) {
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), keys.NewAges(h.Keyring, h.Now))
	s := metrics.NewSet(reg)
	h.registerStarts(s)
	h.registerHashes(s)
	h.registerDatabase(s)
	h.registerBackground(s)
	h.registerState(s)
	h.Tracer.Register(s)
}

// measureStarts is about what anybody may do who has proven nothing: it is counted, and not
// written down each time.
func (h *Server) registerStarts(s metrics.Set) {
	metrics.ReadCounter(s, "logins_started_total", "Logins that were begun and could not be answered out of a session.", h.Provider.Started)
	metrics.ReadCounter(s, "client_failures_total", "Times a client could not authenticate itself.", h.Provider.ClientFailures)
	metrics.ReadCounter(s, "initiations_total", "Tries at a second factor, or at what stands in for a password, that were begun.", h.Verifier.Initiated)
	for budget := range h.Budgets.Refused() {
		metrics.ReadCounter(s.With("budget", budget), "over_budget_total", "What was refused because too much of it came from one address or network.",
			func() int64 { return h.Budgets.Refused()[budget] })
	}
}

func (h *Server) registerHashes(s metrics.Set) {
	load := h.Password.Load
	metrics.ReadGauge(s, "argon2_running", "Password hashes that are computed now.", func() int { return load().Running })
	metrics.ReadGauge(s, "argon2_places", "Password hashes that may be computed at once.", func() int { return load().Parallel })
	metrics.ReadGauge(s, "argon2_waiting", "Sign-ins that wait for their turn.", func() int { return load().Waiting })
	metrics.ReadGauge(s, "argon2_queue_places", "Sign-ins that may wait.", func() int { return load().Queue })
	metrics.ReadCounter(s, "argon2_refused_total", "Sign-ins turned away because too many waited, or too many of one network.", func() int64 { return load().Refused })
}

func (h *Server) registerDatabase(s metrics.Set) {
	stats, connections := h.Store.Stats, h.Store.Connections
	metrics.ReadCounter(s, "database_statements_total", "Statements sent to the database.", func() int64 { return stats().Statements })
	metrics.ReadCounter(s, "database_commits_total", "Transactions committed.", func() int64 { return stats().Commits })
	metrics.ReadCounter(s, "database_retries_total", "Transactions run again after a deadlock or a serialization failure.", func() int64 { return stats().Retries })
	failed := func(reason string, read func() int64) {
		metrics.ReadCounter(s.With("reason", reason), "database_errors_total", "Calls of the database that failed, by why.", read)
	}
	failed("no_connection", func() int64 { return stats().Starved })
	failed("cancelled", func() int64 { return stats().Cancelled })
	failed("timeout", func() int64 { return stats().Overdue })
	failed("failed", func() int64 { return stats().Failed })
	metrics.ReadGauge(s, "database_connections_limit", "Connections there may be.", func() int { return connections().Most })
	metrics.ReadGauge(s, "database_connections_open", "Connections there are.", func() int { return connections().Open })
	metrics.ReadGauge(s, "database_connections_busy", "Connections in use.", func() int { return connections().Busy })
	metrics.ReadGauge(s, "database_connections_idle", "Connections open and not in use.", func() int { return connections().Idle })
	metrics.ReadCounter(s, "database_waits_total", "Calls that had to wait for a connection.", func() int64 { return stats().Waits })
	metrics.ReadCounter(s, "database_wait_seconds_total", "How long they waited, together.", func() float64 { return stats().Waited.Seconds() })
}

// measureChores is about what is done beside the requests.
func (h *Server) registerBackground(s metrics.Set) {
	for table := range h.Store.Swept() {
		metrics.ReadCounter(s.With("table", table), "sweep_rows_total", "Expired rows removed, by table.", func() int64 { return h.Store.Swept()[table] })
	}
	metrics.ReadGauge(s, "sweep_last_success_timestamp_seconds", "When all expired rows were removed last, or when the server started.", h.sweptAt.Load)
	metrics.ReadGauge(s, "journal_waiting", "Events that wait to be written.", func() int { n, _ := h.Journal.Backlog(); return n })
	metrics.ReadCounter(s, "journal_lost_total", "Events lost because too many waited.", func() int64 { _, n := h.Journal.Backlog(); return n })
	outbox := &metrics.Cached[storage.OutboxState]{Now: h.Now, Keep: keepOutbox, Wait: askWait,
		Read: func(ctx context.Context) (storage.OutboxState, error) { return h.Store.OutboxState(ctx, h.Now()) }}
	for state, count := range map[string]func(storage.OutboxState) int{
		"untried":  func(o storage.OutboxState) int { return o.Waiting - o.Retrying },
		"retrying": func(o storage.OutboxState) int { return o.Retrying },
		"dead":     func(o storage.OutboxState) int { return o.Dead },
	} {
		s.With("state", state).OptionalGauge("outbox_messages", "Messages that are not delivered, by why not. Counts end at 10,000.",
			func() (float64, error) { o, err := outbox.Get(); return float64(count(o)), err })
	}
	s.OptionalGauge("outbox_oldest_seconds", "How old the oldest message is that can still be delivered; 0: there is none.", func() (float64, error) {
		o, err := outbox.Get()
		if err != nil || o.Oldest.IsZero() {
			return 0, err
		}
		return max(h.Now().Sub(o.Oldest).Seconds(), 0), nil
	})
}

// measureState says whether this server is fit to serve.
func (h *Server) registerState(s metrics.Set) {
	skew := &metrics.Cached[time.Duration]{Now: h.Now, Keep: keepClock, Wait: askWait, Read: h.health.skew}
	metrics.ReadGauge(s, "ready", "1 if the server should get requests.", func() int {
		by, err := skew.Get()
		if err != nil || by > skewServing || h.health.leaving.Load() {
			return 0
		}
		return 1
	})
	s.OptionalGauge("clock_skew_seconds", "How far this server's clock is from the database's.",
		func() (float64, error) { by, err := skew.Get(); return by.Seconds(), err })
	if info, ok := debug.ReadBuildInfo(); ok {
		revision := ""
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
		metrics.ReadGauge(s.With("version", info.Main.Version).With("revision", revision).With("go", info.GoVersion),
			"build_info", "1, with what was built as labels.", func() int { return 1 })
	}
}
