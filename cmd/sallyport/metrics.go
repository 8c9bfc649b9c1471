package main

import (
	"context"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sallyport/mfa"
	"sallyport/storage"
)

const (
	askWait    = time.Second      // for what a scrape asks the database
	keepClock  = 5 * time.Second  // how long the answers are good
	keepOutbox = 60 * time.Second // counting dead letters reads the whole outbox
)

// metrics are counted where they happen and read here; docs/metrics.md describes them.
// No label comes from outside.
func (h *house) metrics() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newKeyAges(h.keyring, h.now), newTimes(h.counters),
		collect(slices.Concat(h.httpFamilies(), h.startFamilies(), h.tally.families(), h.hashFamilies(), h.databaseFamilies(), h.choreFamilies(), h.stateFamilies(), h.traces.families())...))
	return reg
}

func (h *house) httpFamilies() []family {
	return []family{
		counter("http_requests_total", "Requests on the public listener.", h.counters.Requests.Load),
		counter("http_failed_total", "Answers of 500 and above.", h.counters.Failed.Load),
		counter("http_shed_total", "Requests refused because the server was flooded.", h.counters.Shed.Load),
		counter("http_panics_total", "Handlers that panicked.", h.counters.Panics.Load),
		gauge("http_requests_running", "Requests that have no answer yet.", func() float64 { return float64(h.counters.Running.Load()) }),
	}
}

// startFamilies are about what anybody may do who has proven nothing: it is counted, and not
// written down each time.
func (h *house) startFamilies() []family {
	return []family{
		counter("logins_started_total", "Logins that were begun and could not be answered out of a session.", h.provider.Started),
		counter("client_failures_total", "Times a client could not authenticate itself.", h.provider.ClientFailures),
		counter("initiations_total", "Tries at a second factor, or at what stands in for a password, that were begun.", h.verifier.Initiated),
		{"over_budget_total", "What was refused because too much of it came from one address or network.", prometheus.CounterValue, []string{"budget"},
			func(emit func(float64, ...string)) {
				for budget, n := range h.budgets.Refused() {
					emit(float64(n), budget)
				}
			}},
	}
}

func (t *tally) families() []family {
	return []family{
		labelled("events_total", "Events written into the audit trail.", t.events, "kind", "outcome"),
		labelled("logins_total", "Logins that ended, by how.", t.logins, "outcome"),
		labelled("factors_total", "Passwords and codes that were tried, by how it ended.", t.factors, "method", "outcome"),
		labelled("throttled_total", "Tries refused because of failures before, by whose counter it was.", t.throttled, "bucket"),
		labelled("tokens_issued_total", "Answers with tokens, by grant type.", t.tokens, "grant_type"),
		labelled("token_replays_total", "Codes and refresh tokens that came a second time and ended their family.", t.replays, "of"),
		counter("tokens_revoked_total", "Tokens revoked by their client.", func() int64 { return t.of(mfa.EventTokenRevoked) }),
		counter("decrypt_failures_total", "Stored secrets that did not open.", func() int64 { return t.of(mfa.EventDecryptFailure) }),
		counter("api_key_failures_total", "Calls with an API key that was refused.", func() int64 { return t.of(mfa.EventAPIKeyRefused) }),
	}
}

func (h *house) hashFamilies() []family {
	load := func(of func(mfa.Load) int) func() float64 {
		return func() float64 { return float64(of(h.password.Load())) }
	}
	return []family{
		gauge("argon2_running", "Password hashes that are computed now.", load(func(l mfa.Load) int { return l.Running })),
		gauge("argon2_places", "Password hashes that may be computed at once.", load(func(l mfa.Load) int { return l.Parallel })),
		gauge("argon2_waiting", "Sign-ins that wait for their turn.", load(func(l mfa.Load) int { return l.Waiting })),
		gauge("argon2_queue_places", "Sign-ins that may wait.", load(func(l mfa.Load) int { return l.Queue })),
		counter("argon2_refused_total", "Sign-ins turned away because too many waited, or too many of one network.", func() int64 { return h.password.Load().Refused }),
	}
}

func (h *house) databaseFamilies() []family {
	s := h.store
	return []family{
		counter("database_statements_total", "Statements sent to the database.", func() int64 { return s.Stats().Statements }),
		counter("database_commits_total", "Transactions committed.", func() int64 { return s.Stats().Commits }),
		counter("database_retries_total", "Transactions run again after a deadlock or a serialization failure.", func() int64 { return s.Stats().Retries }),
		{"database_errors_total", "Calls of the database that failed, by why.", prometheus.CounterValue, []string{"reason"},
			func(emit func(float64, ...string)) {
				x := s.Stats()
				emit(float64(x.Starved), "no_connection")
				emit(float64(x.Cancelled), "cancelled")
				emit(float64(x.Overdue), "timeout")
				emit(float64(x.Failed), "failed")
			}},
		gauge("database_connections_limit", "Connections there may be.", func() float64 { return float64(s.Connections().Most) }),
		gauge("database_connections_open", "Connections there are.", func() float64 { return float64(s.Connections().Open) }),
		gauge("database_connections_busy", "Connections in use.", func() float64 { return float64(s.Connections().Busy) }),
		gauge("database_connections_idle", "Connections open and not in use.", func() float64 { return float64(s.Connections().Idle) }),
		counter("database_waits_total", "Calls that had to wait for a connection.", func() int64 { return s.Stats().Waits }),
		{"database_wait_seconds_total", "How long they waited, together.", prometheus.CounterValue, nil,
			func(emit func(float64, ...string)) { emit(s.Stats().Waited.Seconds()) }},
	}
}

// choreFamilies are about what is done beside the requests.
func (h *house) choreFamilies() []family {
	outbox := &cached[storage.OutboxState]{now: h.now, keep: keepOutbox, wait: askWait,
		ask: func(ctx context.Context) (storage.OutboxState, error) { return h.store.OutboxState(ctx, h.now()) }}
	return []family{
		{"sweep_rows_total", "Expired rows removed, by table.", prometheus.CounterValue, []string{"table"},
			func(emit func(float64, ...string)) {
				for table, n := range h.store.Swept() {
					emit(float64(n), table)
				}
			}},
		gauge("sweep_last_success_timestamp_seconds", "When all expired rows were removed last, or when the server started.",
			func() float64 { return float64(h.sweptAt.Load()) }),
		gauge("journal_waiting", "Events that wait to be written.", func() float64 { n, _ := h.journal.Backlog(); return float64(n) }),
		counter("journal_lost_total", "Events lost because too many waited.", func() int64 { _, n := h.journal.Backlog(); return n }),
		{"outbox_messages", "Messages that are not delivered, by why not. Counts end at 10,000.", prometheus.GaugeValue, []string{"state"},
			func(emit func(float64, ...string)) {
				if s, err := outbox.get(); err == nil {
					emit(float64(s.Waiting-s.Retrying), "untried")
					emit(float64(s.Retrying), "retrying")
					emit(float64(s.Dead), "dead")
				}
			}},
		{"outbox_oldest_seconds", "How old the oldest message is that can still be delivered; 0: there is none.", prometheus.GaugeValue, nil,
			func(emit func(float64, ...string)) {
				s, err := outbox.get()
				switch {
				case err != nil:
				case s.Oldest.IsZero():
					emit(0)
				default:
					emit(max(h.now().Sub(s.Oldest).Seconds(), 0))
				}
			}},
	}
}

// stateFamilies say whether this server is fit to serve.
func (h *house) stateFamilies() []family {
	skew := &cached[time.Duration]{now: h.now, keep: keepClock, wait: askWait, ask: h.health.skew}
	return []family{
		gauge("ready", "1 if the server should get requests.", func() float64 {
			by, err := skew.get()
			if err != nil || by > skewServing || h.health.leaving.Load() {
				return 0
			}
			return 1
		}),
		{"clock_skew_seconds", "How far this server's clock is from the database's.", prometheus.GaugeValue, nil,
			func(emit func(float64, ...string)) {
				if by, err := skew.get(); err == nil {
					emit(by.Seconds())
				}
			}},
		{"build_info", "1, with what was built as labels.", prometheus.GaugeValue, []string{"version", "revision", "go"}, buildInfo},
	}
}

func buildInfo(emit func(float64, ...string)) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	emit(1, info.Main.Version, revision, info.GoVersion)
}
