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
	readTimeout = time.Second      // for what a scrape reads from the database
	keepClock   = 5 * time.Second  // how long a reading is used
	keepOutbox  = 60 * time.Second // counting dead letters reads the whole outbox
)

// registerMetrics registers what packages count themselves and a scrape reads;
// docs/metrics.md describes it.
func (s *Server) registerMetrics(reg *prometheus.Registry) {
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), keys.NewAges(s.Keyring, s.Now))
	set := metrics.NewSet(reg)
	s.registerStarts(set)
	s.registerHashes(set)
	s.registerDatabase(set)
	s.registerBackground(set)
	s.registerState(set)
	s.Tracer.Register(set)
}

// registerStarts registers counters of what unauthenticated callers do: these are counted
// instead of written into the audit trail each time.
func (s *Server) registerStarts(set metrics.Set) {
	metrics.ReadCounter(set, "logins_started_total", "Logins begun that no session could satisfy.", s.Provider.Started)
	metrics.ReadCounter(set, "client_failures_total", "Times a client could not authenticate itself.", s.Provider.ClientAuth.Failures)
	metrics.ReadCounter(set, "initiations_total", "Attempts begun at a second factor, or at a factor instead of a password.", s.Verifier.Initiations)
	for budget := range s.Budgets.Refused() {
		metrics.ReadCounter(set.With("budget", budget), "over_budget_total", "Operations refused because one address or network exceeded its budget.",
			func() int64 { return s.Budgets.Refused()[budget] })
	}
}

func (s *Server) registerHashes(set metrics.Set) {
	load := s.Password.Load
	metrics.ReadGauge(set, "argon2_running", "Password hashes that are computed now.", func() int { return load().Running })
	metrics.ReadGauge(set, "argon2_places", "Password hashes that may be computed concurrently.", func() int { return load().Parallel })
	metrics.ReadGauge(set, "argon2_waiting", "Sign-ins that wait for their turn.", func() int { return load().Waiting })
	metrics.ReadGauge(set, "argon2_queue_places", "Sign-ins that may wait.", func() int { return load().Queue })
	metrics.ReadCounter(set, "argon2_refused_total", "Sign-ins refused because they would have waited too long, or too many waited.", func() int64 { return load().Refused })
}

func (s *Server) registerDatabase(set metrics.Set) {
	stats, connections := s.Store.Stats, s.Store.Connections
	metrics.ReadCounter(set, "database_statements_total", "Statements sent to the database.", func() int64 { return stats().Statements })
	metrics.ReadCounter(set, "database_commits_total", "Transactions committed.", func() int64 { return stats().Commits })
	metrics.ReadCounter(set, "database_retries_total", "Transactions run again after a deadlock or a serialization failure.", func() int64 { return stats().Retries })
	failed := func(reason string, read func() int64) {
		metrics.ReadCounter(set.With("reason", reason), "database_errors_total", "Database calls that failed, by reason.", read)
	}
	failed("no_connection", func() int64 { return stats().NoConnection })
	failed("cancelled", func() int64 { return stats().Cancelled })
	failed("timeout", func() int64 { return stats().TimedOut })
	failed("failed", func() int64 { return stats().Failed })
	metrics.ReadGauge(set, "database_connections_limit", "Connections allowed.", func() int { return connections().Most })
	metrics.ReadGauge(set, "database_connections_open", "Connections open.", func() int { return connections().Open })
	metrics.ReadGauge(set, "database_connections_busy", "Connections in use.", func() int { return connections().Busy })
	metrics.ReadGauge(set, "database_connections_idle", "Connections open and not in use.", func() int { return connections().Idle })
	metrics.ReadCounter(set, "database_waits_total", "Calls that had to wait for a connection.", func() int64 { return stats().Waits })
	metrics.ReadCounter(set, "database_wait_seconds_total", "How long they waited, together.", func() float64 { return stats().Waited.Seconds() })
}

// registerBackground registers what is done beside the requests.
func (s *Server) registerBackground(set metrics.Set) {
	for table := range s.Store.Swept() {
		metrics.ReadCounter(set.With("table", table), "sweep_rows_total", "Expired rows removed, by table.", func() int64 { return s.Store.Swept()[table] })
	}
	metrics.ReadGauge(set, "sweep_last_success_timestamp_seconds", "When all expired rows were removed last, or when the server started.", s.sweptAt.Load)
	metrics.ReadGauge(set, "journal_waiting", "Events that wait to be written.", func() int { n, _ := s.Journal.Backlog(); return n })
	metrics.ReadCounter(set, "journal_lost_total", "Events lost because too many waited.", func() int64 { _, n := s.Journal.Backlog(); return n })
	outbox := &metrics.Cached[storage.OutboxState]{Now: s.Now, Keep: keepOutbox, Wait: readTimeout,
		Read: func(ctx context.Context) (storage.OutboxState, error) { return s.Store.OutboxState(ctx, s.Now()) }}
	for state, count := range map[string]func(storage.OutboxState) int{
		"untried":  func(o storage.OutboxState) int { return o.Waiting - o.Retrying },
		"retrying": func(o storage.OutboxState) int { return o.Retrying },
		"dead":     func(o storage.OutboxState) int { return o.Dead },
	} {
		set.With("state", state).OptionalGauge("outbox_messages", "Undelivered messages, by state. Counts end at 10,000.",
			func() (float64, error) { o, err := outbox.Get(); return float64(count(o)), err })
	}
	set.OptionalGauge("outbox_oldest_seconds", "Age of the oldest message that can still be delivered; 0: no such message.", func() (float64, error) {
		o, err := outbox.Get()
		if err != nil || o.Oldest.IsZero() {
			return 0, err
		}
		return max(s.Now().Sub(o.Oldest).Seconds(), 0), nil
	})
}

// registerState registers whether this server is ready, and what it is.
func (s *Server) registerState(set metrics.Set) {
	skew := &metrics.Cached[time.Duration]{Now: s.Now, Keep: keepClock, Wait: readTimeout, Read: s.health.skew}
	metrics.ReadGauge(set, "ready", "1 if the server should get requests.", func() int {
		by, err := skew.Get()
		if err != nil || by > skewServing || s.health.leaving.Load() {
			return 0
		}
		return 1
	})
	set.OptionalGauge("clock_skew_seconds", "How far this server's clock is from the database's.",
		func() (float64, error) { by, err := skew.Get(); return by.Seconds(), err })
	if info, ok := debug.ReadBuildInfo(); ok {
		revision := ""
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
		metrics.ReadGauge(set.With("version", info.Main.Version).With("revision", revision).With("go", info.GoVersion),
			"build_info", "1, with the build as labels.", func() int { return 1 })
	}
}
