package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	dto "github.com/prometheus/client_model/go"

	"sallyport/cmd/sallyport/metrics"
	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/budget"
	"sallyport/mfa/delivery"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/notice"
	"sallyport/mfa/throttle"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// gather returns the metrics of a server, by family.
func gather(t *testing.T, h *server.Server) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := h.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range all {
		out[f.GetName()] = f
	}
	return out
}

// labelsOf are the names of a family's labels.
func labelsOf(f *dto.MetricFamily) []string {
	var out []string
	for _, pair := range f.GetMetric()[0].GetLabel() {
		out = append(out, pair.GetName())
	}
	return out
}

// value finds a counter or gauge by its labels, given as pairs.
func value(f *dto.MetricFamily, labels ...string) float64 {
	for _, m := range f.GetMetric() {
		of := map[string]string{}
		for _, pair := range m.GetLabel() {
			of[pair.GetName()] = pair.GetValue()
		}
		fits := true
		for i := 0; i+1 < len(labels); i += 2 {
			fits = fits && of[labels[i]] == labels[i+1]
		}
		if fits {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return -1
}

// withTraffic calls do with a server that has served requests.
func withTraffic(t *testing.T, o *fixture, do func(h *server.Server)) {
	o.withServer(func(h *server.Server) {
		h.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/jwks.json", nil))
		do(h)
	})
}

// Each family of the server has one row in docs/metrics.md, which begins with its name, type
// and labels. There are no other rows.
func TestMetricsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	withTraffic(t, newFixtureOf(t, servertest.NewUnstarted), func(h *server.Server) {
		want := map[string]bool{}
		for name, f := range gather(t, h) {
			if !strings.HasPrefix(name, "sallyport_") {
				continue
			}
			var labels []string
			for _, l := range labelsOf(f) {
				labels = append(labels, "`"+l+"`")
			}
			slices.Sort(labels)
			want[fmt.Sprintf("%s %s %v", name, strings.ToLower(f.GetType().String()), labels)] = true
			if f.GetHelp() == "" {
				t.Errorf("%s has no help", name)
			}
		}
		row := regexp.MustCompile("(?m)^\\| `(sallyport_[a-z0-9_]+)` \\| ([a-z]+) \\| ([^|]*)\\|")
		for _, m := range row.FindAllStringSubmatch(string(text), -1) {
			labels := strings.Split(strings.TrimSpace(m[3]), ", ")
			labels = slices.DeleteFunc(labels, func(s string) bool { return s == "" })
			slices.Sort(labels)
			key := fmt.Sprintf("%s %s %v", m[1], m[2], labels)
			if !want[key] {
				t.Errorf("docs/metrics.md describes %s, which is not there", key)
			}
			delete(want, key)
		}
		for key := range want {
			t.Errorf("docs/metrics.md does not describe %s", key)
		}
	})
}

// Hostile callers cannot add label values, and their requests are counted under existing ones.
func TestMetricLabelsAreClosedLists(t *testing.T) {
	o := newFixture(t)
	o.must("apply", o.file("state.yaml", `clients:
  - client_id: m2m
    client_secret: "a secret of the machine, long enough"
    grant_types: [client_credentials]
    scopes: [reports]
`))
	withTraffic(t, o, func(h *server.Server) {
		for _, call := range []struct{ method, path, auth, body string }{
			{"HOSTILE", "/hostile", "", ""}, {"GET", "/authorize?client_id=hostile&hostile=1", "", ""}, {"POST", "/hostile/token", "", ""},
			{"POST", "/token", "hostile:hostile", "grant_type=client_credentials"}, {"POST", "/token", "m2m:hostile", "grant_type=hostile"},
			{"POST", "/token", "m2m:hostile", "grant_type=client_credentials"},
			{"POST", "/token", "m2m:a secret of the machine, long enough", "grant_type=client_credentials&scope=reports"},
			{"POST", "/token", "m2m:a secret of the machine, long enough", "grant_type=client_credentials&scope=hostile"},
			{"POST", "/revoke", "m2m:a secret of the machine, long enough", "token=hostile"}, {"DELETE", "/jwks.json", "", ""},
		} {
			r := httptest.NewRequest(call.method, call.path, strings.NewReader(call.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("User-Agent", "hostile")
			if call.auth != "" {
				r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(call.auth)))
			}
			h.Handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		for range 22 {
			r := httptest.NewRequest("POST", "/introspect", strings.NewReader("token=hostile"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.RemoteAddr = "198.51.100.1:4711"
			r.SetBasicAuth("m2m", "hostile")
			h.Handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		// As an unregistered method, or an event of a newer server, would do.
		h.Journal.Note(h.Journal.Event(mfa.Caller{}, storage.Event{Kind: "hostile", Outcome: "hostile"}))
		h.Journal.Note(h.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventMFAFailed, Detail: map[string]string{"method": "hostile"}}))
		h.Journal.Note(h.Journal.Event(mfa.Caller{}, storage.Event{Kind: mfa.EventAPIKeyRefused, Outcome: "hostile"}))
		h.Events.CountThrottledFactor("hostile", "hostile")
		if err := h.Journal.Flush(o.Context()); err != nil {
			t.Fatal(err)
		}
		event := []storage.Event{{Kind: mfa.EventLogout, Outcome: "ok"}}
		if n := testing.AllocsPerRun(100, func() { h.Events.Count(event) }); n > 1 {
			t.Errorf("%v allocations for one more event, want one at most", n)
		}
		all := gather(t, h)
		checkLabels(t, h, all)
		for _, c := range []struct {
			family string
			labels []string
			want   float64
		}{
			{"sallyport_tokens_issued_total", []string{"grant_type", "client_credentials"}, 1},
			{"sallyport_events_total", []string{"kind", mfa.EventTokenIssued, "outcome", "ok"}, 1},
			{"sallyport_events_total", []string{"kind", metrics.Other, "outcome", metrics.Other}, 1},
			{"sallyport_factors_total", []string{"method", metrics.Other, "outcome", "wrong"}, 1},
			{"sallyport_factors_total", []string{"method", metrics.Other, "outcome", "throttled"}, 1},
			{"sallyport_throttled_total", []string{"bucket", metrics.Other}, 1},
			{"sallyport_throttled_total", []string{"bucket", "address"}, 0},
			{"sallyport_factors_total", []string{"method", "totp", "outcome", "disabled"}, 0},
			{"sallyport_factors_total", []string{"method", "totp", "outcome", metrics.Other}, -1},
			{"sallyport_logins_total", []string{"outcome", metrics.Other}, -1},
			{"sallyport_events_total", []string{"kind", mfa.EventMFAReplayed}, -1},
			{"sallyport_tokens_revoked_total", nil, 0},
			{"sallyport_api_key_failures_total", nil, 1},
			{"sallyport_throttled_total", []string{"bucket", throttle.ClientSecret}, 2},
			{"sallyport_client_failures_total", nil, 24},
			{"sallyport_ready", nil, 1},
		} {
			if got := value(all[c.family], c.labels...); got != c.want {
				t.Errorf("%s %v = %v, want %v", c.family, c.labels, got, c.want)
			}
		}
	})
}

// checkLabels requires that every label value is in a list.
func checkLabels(t *testing.T, h *server.Server, all map[string]*dto.MetricFamily) {
	t.Helper()
	allowed := map[string][]string{
		"class": {"2xx", "3xx", "4xx", "5xx"}, "route": {"none"},
		"method": {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", metrics.Other},
		"kind":   slices.Concat(mfa.EventKinds(), notice.Outgoing(), []string{metrics.Other}), "bucket": append(throttle.Buckets(), metrics.Other),
		"outcome": append(mfa.Outcomes(), metrics.Other, "finished", "session", "cancelled", "wrong", "replayed", "throttled", "disabled", "exported"),
		"budget":  budget.All(), "of": {"code", "refresh_token"}, "grant_type": {"authorization_code", "refresh_token", "client_credentials", "implicit", "token_exchange"},
		"reason": {"no_connection", "cancelled", "timeout", "failed"}, "state": {"untried", "retrying", "dead"},
		"result": delivery.Results(), "use": seal.Uses(), "alg": append(config.Algorithms(), ""),
	}
	for _, i := range append(h.Verifier.Methods(), enrollcode.Info()) {
		allowed["method"] = append(allowed["method"], i.Name)
	}
	for _, r := range h.Handler.(interface{ Routes() gin.RoutesInfo }).Routes() {
		allowed["route"] = append(allowed["route"], r.Path)
	}
	for table := range h.Store.Swept() {
		allowed["table"] = append(allowed["table"], table)
	}
	for name, f := range all {
		if !strings.HasPrefix(name, "sallyport_") || name == "sallyport_build_info" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, pair := range m.GetLabel() {
				if !slices.Contains(allowed[pair.GetName()], pair.GetValue()) {
					t.Errorf("%s has %s=%q, which is in no list", name, pair.GetName(), pair.GetValue())
				}
			}
		}
	}
}

// Values read from the database are missing, all others remain.
func TestMetricsReportAnUnreachableDatabase(t *testing.T) {
	newFixture(t).withServer(func(h *server.Server) {
		if err := h.Store.Close(); err != nil {
			t.Fatal(err)
		}
		h.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/authorize?client_id=shop", nil))
		all := gather(t, h)
		if got := value(all["sallyport_ready"]); got != 0 {
			t.Errorf("ready = %v, want 0", got)
		}
		if got := value(all["sallyport_database_errors_total"], "reason", "failed"); got < 1 {
			t.Errorf("failed calls = %v, want some", got)
		}
		if all["sallyport_clock_skew_seconds"] != nil || all["sallyport_outbox_messages"] != nil {
			t.Error("clock and outbox of an unreachable database are exported")
		}
	})
}
