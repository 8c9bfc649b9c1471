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

// health says whether this server should get requests.
type health struct {
	store   storage.Housekeeping
	now     func() time.Time
	leaving atomic.Bool
}

// skew returns how far our clock is from the database's.
func (h *health) skew(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, clockWait)
	defer cancel()
	before := h.now()
	theirs, err := h.store.Clock(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask the database for its time: %w", err)
	}
	// Half of the round trip has passed since the database looked at its clock.
	ours := before.Add(h.now().Sub(before) / 2)
	return ours.Sub(theirs).Abs(), nil
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

// ops returns what the admin listener serves: liveness, readiness and metrics, which
// need no key, and the admin API, which does. The answers of the former hold nothing about
// the configuration (H-13); reasons go to the log.
func (h *Server) OpsHandler(api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/admin/", api)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := h.health.ready(r.Context()); err != nil {
			h.Log.Warn("not ready", "reason", err.Error())
			plain(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		plain(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.Metrics, promhttp.HandlerOpts{}))
	return mux
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	fmt.Fprintln(w, text) // a reader that went away is no fault
}
