package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/server"
	"sallyport/cmd/sallyport/servertest"
	"sallyport/cmd/sallyport/tracing"
	"sallyport/config"
	"sallyport/e2e/collector"
	"sallyport/storage/seal"
)

// tracedServer opens a server with further settings from the environment, calls do with it
// and closes it, which sends what is left. It returns what is left, and the log.
func tracedServer(t *testing.T, o *fixture, environ []string, do func(h *server.Server)) (*server.Server, string) {
	t.Helper()
	c, err := config.Load(o.settings, environ)
	if err != nil {
		t.Fatal(err)
	}
	p, _, log := testProgram()
	h, err := openServer(t.Context(), p, c)
	if err != nil {
		t.Fatal(err)
	}
	do(h)
	h.Close()
	return h, log.String()
}

func send(h *server.Server, peer, method, path, auth, body, parent string) int {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = peer + ":4000"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Traceparent", parent)
	r.Header.Set("Tracestate", "hostile=1")
	r.Header.Set("Baggage", "hostile=1")
	r.Header.Set("User-Agent", "hostile")
	if auth != "" {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(auth)))
	}
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	return w.Code
}

const (
	theirTrace  = "0af7651916cd43dd8448eb211c80319c"
	theirSpan   = "b7ad6b7169203331"
	theirParent = "00-" + theirTrace + "-" + theirSpan + "-01"
)

// Hostile texts anywhere in a request reach no span, and only a trusted proxy's trace is continued.
func TestTracesHoldNoInput(t *testing.T) {
	to := collector.New(t)
	o := newFixture(t)
	headers := o.file("headers", "X-Key: the key of the collector\n")
	o.must("apply", o.file("state.yaml", "clients:\n  - client_id: shop\n    client_secret: \"a secret of the shop, long enough\"\n    redirect_uris: [https://shop.example/cb]\n    grant_types: [authorization_code, refresh_token]\n    scopes: [openid]\n"))
	const shop = "shop:a secret of the shop, long enough"
	_, log := tracedServer(t, o, []string{"SALLYPORT_TRACING_ENDPOINT=" + to.URL, "SALLYPORT_TRACING_HEADERS_FILE=" + headers, "SALLYPORT_TRUSTED_PROXIES=10.0.0.0/8"}, func(h *server.Server) {
		send(h, "192.0.2.1", "GET", "/authorize?client_id=hostile&scope=hostile&redirect_uri=hostile", "", "", theirParent)
		send(h, "10.1.2.3", "GET", "/authorize?client_id=shop&scope=hostile&response_type=hostile&state=hostile&redirect_uri=https%3A%2F%2Fshop.example%2Fcb", "", "", theirParent)
		for _, body := range []string{"grant_type=authorization_code&code=hostile&redirect_uri=hostile&code_verifier=hostile", "grant_type=refresh_token&refresh_token=hostile&scope=hostile",
			"grant_type=client_credentials&scope=hostile&hostile=hostile", "grant_type=authorization_code&code=" + strings.Repeat("h", 43) + "&client_id=hostile"} {
			send(h, "192.0.2.1", "POST", "/token", shop, body, theirParent)
		}
		send(h, "192.0.2.1", "HOSTILE", "/hostile", "", "", theirParent)
		send(h, "192.0.2.1", "POST", "/introspect", shop, "token=hostile", theirParent)
	})
	spans := to.Spans()
	allowed := []string{"http.request.method", "http.route", "http.response.status_code", "sallyport.correlation_id", "db.system.name"}
	names, roots := map[string]int{}, 0
	for _, s := range spans {
		names[s.Name]++
		if strings.Contains(strings.ToLower(s.Text), "hostile") || s.More > 0 {
			t.Errorf("a span holds what was sent: %s", s.Text)
		}
		for key := range s.Attributes {
			if !slices.Contains(allowed, key) {
				t.Errorf("%s has %s", s.Name, key)
			}
		}
		switch continued := s.Trace == theirTrace; {
		case s.Parent == theirSpan:
			roots++
		case continued && s.Parent == "":
			t.Errorf("%s has no parent", s.Name)
		}
	}
	for _, want := range []string{"GET /authorize", "POST /token", "other none", "POST /introspect", "Fosite.NewAccessRequest", "read client"} {
		if names[want] == 0 {
			t.Errorf("there is no span %q in %v", want, names)
		}
	}
	if roots != 1 {
		t.Errorf("%d requests continue the caller's trace, want the trusted proxy's alone", roots)
	}
	got, resource := to.Last()
	if got.Get("X-Key") != "the key of the collector" || resource["service.name"] != "sallyport" || resource["deployment.environment.name"] != "test" {
		t.Errorf("headers %v, resource %v", got, resource)
	}
	if !strings.Contains(log, `"trace_id":"`+theirTrace+`"`) || strings.Contains(log, "key of the collector") {
		t.Errorf("log = %s, want the trace in it and no key", log)
	}
}

func TestUnsampledRequestsAreNotTraced(t *testing.T) {
	to := collector.New(t)
	tracedServer(t, newFixture(t), []string{"SALLYPORT_TRACING_ENDPOINT=" + to.URL + "/", "SALLYPORT_TRACING_SAMPLE_RATIO=0", "SALLYPORT_TRUSTED_PROXIES=10.0.0.0/8"}, func(h *server.Server) {
		send(h, "192.0.2.1", "GET", "/authorize?client_id=shop", "", "", theirParent)
		send(h, "10.0.0.1", "GET", "/authorize?client_id=shop", "", "", strings.TrimSuffix(theirParent, "1")+"0")
		if n := value(gather(t, h)["sallyport_spans_ended_total"]); n != 0 {
			t.Errorf("%v spans, want none", n)
		}
	})
	if spans := to.Spans(); len(spans) != 0 {
		t.Errorf("spans %v, want none", spans)
	}
}

// Collectors that hang, refuse with the key in the response, redirect or do not exist.
func TestFaultyCollectorHarmsNoRequest(t *testing.T) {
	elsewhere, over := collector.New(t), make(chan struct{})
	for name, handler := range map[string]http.HandlerFunc{
		"hangs": func(http.ResponseWriter, *http.Request) { <-over },
		"refuses": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("X-Key"), http.StatusForbidden)
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/v1/traces", http.StatusTemporaryRedirect)
		},
		"does not exist": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newFixture(t)
			endpoint := "http://" + servertest.FreeAddress(t)
			if handler != nil {
				s := httptest.NewServer(handler)
				t.Cleanup(s.Close)
				endpoint = s.URL
			}
			const requests = 3 * tracing.Queue
			if name == "hangs" {
				t.Cleanup(func() { close(over) }) // before its server is closed, which waits for it
			}
			h, log := tracedServer(t, o, []string{"SALLYPORT_LOG_LEVEL=warn", "SALLYPORT_TRACING_ENDPOINT=" + endpoint,
				"SALLYPORT_TRACING_HEADERS_FILE=" + o.file("headers", "X-Key: the key of the collector\n")}, func(h *server.Server) {
				for range requests {
					if code := send(h, "192.0.2.1", "GET", "/jwks.json", "", "", ""); code != http.StatusOK {
						t.Fatalf("code %d", code)
					}
				}
				if n := value(gather(t, h)["sallyport_spans_ended_total"]); n < requests {
					t.Errorf("%v spans, want one a request", n)
				}
			})
			all := gather(t, h)
			if n := value(all["sallyport_spans_exported_total"], "outcome", "ok"); n != 0 {
				t.Errorf("%v spans were sent", n)
			}
			// A collector that hangs is abandoned at the deadline of the stop.
			if !strings.Contains(log, "do not reach the collector") && !strings.Contains(log, "send the last traces: context deadline exceeded") || strings.Contains(log, "key of the collector") {
				t.Errorf("log = %s, want a line about it without the key", log)
			}
		})
	}
	t.Cleanup(func() {
		if got := fmt.Sprint(elsewhere.Spans()); got != "[]" {
			t.Errorf("spans were sent on: %s", got)
		}
	})
}

// BenchmarkTracing measures what traces cost a request that needs no database.
func BenchmarkTracing(b *testing.B) {
	to := collector.New(b)
	for _, c := range []struct {
		name    string
		environ []string
	}{
		{"off", nil},
		{"on, none sampled", []string{"SALLYPORT_TRACING_ENDPOINT=" + to.URL, "SALLYPORT_TRACING_SAMPLE_RATIO=0"}},
		{"on, all sampled", []string{"SALLYPORT_TRACING_ENDPOINT=" + to.URL}},
	} {
		b.Run(c.name, func(b *testing.B) {
			dir := b.TempDir()
			settings, err := config.Parse("s.yaml", fmt.Appendf(nil, "issuer: http://localhost\nlog_level: error\nkey_file: x\ndatabase:\n  dsn: sqlite:%s/db\n", dir), c.environ)
			if err != nil {
				b.Fatal(err)
			}
			keks, err := seal.ParseKEKs(seal.NewKeyFile(rand.Reader))
			if err != nil {
				b.Fatal(err)
			}
			h, err := server.Open(b.Context(), server.Options{Config: settings, DSN: config.Secret(settings.Database.DSN), KEKs: keks, Migrate: true,
				Log: server.NewLog(io.Discard, "error"), Now: time.Now, Random: rand.Reader})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			b.ReportAllocs()
			for b.Loop() {
				if code := send(h, "192.0.2.1", "GET", "/jwks.json", "", "", ""); code != http.StatusOK {
					b.Fatal(code)
				}
			}
		})
	}
}
