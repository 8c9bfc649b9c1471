package server

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sallyport/storage"
)

const (
	skewAtStart = 2 * time.Second // beyond it the server does not start
	skewServing = 5 * time.Second // beyond it the server is not ready
	clockWait   = 2 * time.Second
)

// health reports whether this server should get requests.
type health struct {
	store   storage.Housekeeping
	now     func() time.Time
	leaving atomic.Bool
}

// skew returns how far this server's clock is from the database's.
func (h *health) skew(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, clockWait)
	defer cancel()
	before := h.now()
	database, err := h.store.Clock(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the database's clock: %w", err)
	}
	// Half of the round trip has passed since the database read its clock.
	local := before.Add(h.now().Sub(before) / 2)
	return local.Sub(database).Abs(), nil
}

func (h *health) ready(ctx context.Context) error {
	if h.leaving.Load() {
		return fmt.Errorf("the server is stopping")
	}
	skew, err := h.skew(ctx)
	if err != nil {
		return err
	}
	if skew > skewServing {
		return fmt.Errorf("the clock differs from the database's by %s", skew.Round(time.Millisecond))
	}
	return nil
}

// OpsHandler returns what the admin listener serves: liveness, readiness and metrics, which
// need no key, and the admin API, which does. Responses of the former disclose nothing of
// the configuration (H-13); reasons go to the log. The admin API refuses every other address:
// http.ServeMux would do that as text, or redirect.
func (s *Server) OpsHandler(api http.Handler) http.Handler {
	probes := map[string]http.HandlerFunc{
		"/healthz": func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") },
		"/readyz": func(w http.ResponseWriter, r *http.Request) {
			if err := s.health.ready(r.Context()); err != nil {
				s.Log.Warn("not ready", "reason", err.Error())
				plain(w, http.StatusServiceUnavailable, "not ready")
				return
			}
			plain(w, http.StatusOK, "ready")
		},
		"/metrics": promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}).ServeHTTP,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if probe := probes[r.URL.Path]; probe != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			probe(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	fmt.Fprintln(w, text) // a client that has gone is not an error
}
