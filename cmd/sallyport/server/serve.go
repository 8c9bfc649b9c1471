package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"sallyport/web"
)

// grace is how long running requests get when the server stops.
const grace = 20 * time.Second

// site is a server with the listener it serves.
type Site struct {
	Server   *http.Server
	Listener net.Listener
}

// serve serves all sites and the background work until ctx ends or one of them
// fails, and then stops everything: the sites first, because their requests still
// write what the background work flushes.
func (h *Server) Serve(ctx context.Context, linger time.Duration, sites ...Site) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	background := make(chan error, 1)
	go func() { background <- h.background(work) }()

	ends := make(chan error, len(sites))
	for _, s := range sites {
		go func() {
			ends <- web.Serve(ctx, s.Server, s.Listener, web.Stop{Leaving: h.leave, Linger: linger, Grace: grace})
		}()
	}
	var errs []error
	for range sites {
		err := <-ends
		stop() // one that fails takes the others down
		errs = append(errs, err)
	}
	stopWork()
	errs = append(errs, <-background)
	return errors.Join(errs...)
}

// leave makes the server not ready: balancers stop sending.
func (h *Server) leave() {
	if !h.health.leaving.Swap(true) {
		h.Log.Info("stopping")
	}
}
