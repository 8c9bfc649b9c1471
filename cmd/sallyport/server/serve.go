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

// Site is an HTTP server with its listener.
type Site struct {
	Server      *http.Server
	Listener    net.Listener
	Certificate *Certificate // of the listener, to be read again; nil: none
}

// Serve serves all sites and works in the background until ctx ends or a site fails. Then
// it stops the sites first, because their requests still write what the background work
// flushes.
func (s *Server) Serve(ctx context.Context, linger time.Duration, sites ...Site) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	for _, site := range sites {
		s.addCertificate(site.Certificate)
	}
	background := make(chan error, 1)
	go func() { background <- s.background(work) }()

	ends := make(chan error, len(sites))
	for _, site := range sites {
		go func() {
			ends <- web.Serve(ctx, site.Server, site.Listener, web.Stop{Leaving: s.leave, Linger: linger, Grace: grace})
		}()
	}
	var errs []error
	for range sites {
		err := <-ends
		stop() // a site that fails stops the others
		errs = append(errs, err)
	}
	stopWork()
	errs = append(errs, <-background)
	return errors.Join(errs...)
}

// leave makes the server not ready, so that load balancers stop sending requests.
func (s *Server) leave() {
	if !s.health.leaving.Swap(true) {
		s.Log.Info("stopping")
	}
}
