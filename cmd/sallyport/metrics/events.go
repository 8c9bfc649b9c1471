package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// Events counts the events that this server has written into the audit trail, after their
// commit, and derives from them how logins, factors and tokens end.
type Events struct {
	sheet                                               Set
	events, logins, factors, throttled, tokens, replays *prometheus.CounterVec
	single                                              map[string]prometheus.Counter // by kind, whatever the outcome
}

// NewEvents registers the counters of events.
func NewEvents(s Set) *Events {
	return &Events{
		sheet: s,
		// A counter of these long lists exists once its event has happened.
		events:    s.newCounterVec("events_total", "Events written into the audit trail.", label{"kind", mfa.EventKinds()}, label{"outcome", mfa.Outcomes()}),
		logins:    s.newZeroedVec("logins_total", "Logins that ended, by outcome.", "outcome", "finished", "session", "refused", "cancelled"),
		throttled: s.newZeroedVec("throttled_total", "Attempts refused because of earlier failures, by bucket.", "bucket", throttle.Buckets()...),
		tokens: s.newZeroedVec("tokens_issued_total", "Responses with tokens, by grant type.", "grant_type",
			"authorization_code", "refresh_token", "client_credentials", "implicit", "token_exchange"),
		replays: s.newZeroedVec("token_replays_total", "Codes and refresh tokens that were replayed and ended their family.", "of", "code", "refresh_token"),
		single: map[string]prometheus.Counter{
			mfa.EventTokenRevoked:   s.NewCounter("tokens_revoked_total", "Tokens revoked by their client."),
			mfa.EventDecryptFailure: s.NewCounter("decrypt_failures_total", "Stored secrets that could not be decrypted."),
			mfa.EventAPIKeyRefused:  s.NewCounter("api_key_failures_total", "Calls with an API key that was refused."),
		},
	}
}

// AddMethods creates the counters of these methods, at zero.
func (t *Events) AddMethods(methods []mfa.Info) {
	method, outcome := label{name: "method"}, label{"outcome", []string{"ok", "wrong", "replayed", "throttled", "disabled"}}
	for _, m := range methods {
		method.values = append(method.values, m.Name)
	}
	t.factors = t.sheet.newCounterVec("factors_total", "Passwords and codes tried, by outcome.", method, outcome)
	for _, m := range method.values {
		for _, o := range outcome.values {
			t.factors.WithLabelValues(m, o)
		}
	}
}

// Count counts the events of a commit.
func (t *Events) Count(events []storage.Event) {
	for i := range events {
		e := &events[i]
		t.events.WithLabelValues(e.Kind, e.Outcome).Inc()
		if c := t.single[e.Kind]; c != nil {
			c.Inc()
		}
		if outcome := factorOutcome(e.Kind); outcome != "" {
			t.factors.WithLabelValues(e.Detail["method"], outcome).Inc()
			continue
		}
		t.countLogin(e)
		t.countToken(e)
	}
}

// CountThrottledFactor counts a response that was refused without being compared: the trail
// has one event for a wait, however many responses it refuses.
func (t *Events) CountThrottledFactor(method, bucket string) {
	if method != "" {
		t.factors.WithLabelValues(method, "throttled").Inc()
	}
	t.CountThrottled(bucket)
}

// CountThrottled counts an attempt that was refused because of earlier failures.
func (t *Events) CountThrottled(bucket string) { t.throttled.WithLabelValues(bucket).Inc() }

func factorOutcome(kind string) string {
	switch kind {
	case mfa.EventPasswordOK, mfa.EventMFAOK:
		return "ok"
	case mfa.EventPasswordFailed, mfa.EventMFAFailed:
		return "wrong"
	case mfa.EventMFAReplayed:
		return "replayed"
	case mfa.EventMFADisabled:
		return "disabled"
	}
	return ""
}

func (t *Events) countLogin(e *storage.Event) {
	switch e.Kind {
	case mfa.EventLoginFinished:
		t.logins.WithLabelValues("finished").Inc()
	case mfa.EventLoginRefused:
		t.logins.WithLabelValues("refused").Inc()
	case mfa.EventLoginCancelled:
		t.logins.WithLabelValues("cancelled").Inc()
	case mfa.EventCodeIssued, mfa.EventTokenIssued:
		if e.Detail["from"] == "session" {
			t.logins.WithLabelValues("session").Inc()
		}
	}
}

func (t *Events) countToken(e *storage.Event) {
	switch e.Kind {
	case mfa.EventCodeRedeemed:
		t.tokens.WithLabelValues("authorization_code").Inc()
	case mfa.EventTokenRefresh:
		t.tokens.WithLabelValues("refresh_token").Inc()
	case mfa.EventTokenExchange:
		t.tokens.WithLabelValues("token_exchange").Inc()
	case mfa.EventTokenIssued:
		if e.UserID != "" { // at the authorization endpoint
			t.tokens.WithLabelValues("implicit").Inc()
			return
		}
		t.tokens.WithLabelValues("client_credentials").Inc()
	case mfa.EventCodeReplayed:
		t.replays.WithLabelValues("code").Inc()
	case mfa.EventRefreshReused:
		t.replays.WithLabelValues("refresh_token").Inc()
	}
}
