package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// NewServer returns an http.Server with the timeouts and limits of every listener (H-9, H-10).
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    maxHeaders - 4096, // net/http adds 4096
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Stop says how a server shuts down.
type Stop struct {
	Leaving func()        // called first, to report not ready; may be nil
	Linger  time.Duration // how long the server keeps serving, until load balancers notice
	Grace   time.Duration // how long running requests may then take
}

// Serve serves until ctx ends and then shuts down gracefully: it completes every accepted
// request that does not exceed the grace period.
func Serve(ctx context.Context, srv *http.Server, l net.Listener, s Stop) error {
	var leaving atomic.Bool
	srv.Handler = parting(srv.Handler, &leaving)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	leaving.Store(true)
	if s.Leaving != nil {
		s.Leaving()
	}
	linger := time.NewTimer(s.Linger)
	defer linger.Stop()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-linger.C:
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("stop %s: %w", l.Addr(), err), srv.Close())
	}
	return nil
}

// parting closes idle connections one by one, each after a response, while the server
// lingers. At the end all are closed, and a request just sent on one would be lost.
func parting(h http.Handler, leaving *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if leaving.Load() {
			w.Header().Set("Connection", "close") // HTTP/2 sends GOAWAY
		}
		h.ServeHTTP(w, r)
	})
}

// Bound returns a listener that keeps at most n connections open; further ones wait in the
// kernel's queue. 0: no limit.
func Bound(l net.Listener, n int) net.Listener {
	if n <= 0 {
		return l
	}
	return &bound{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

type bound struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (b *bound) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &boundConn{Conn: c, free: sync.OnceFunc(func() { <-b.slots })}, nil
}

func (b *bound) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type boundConn struct {
	net.Conn
	free func()
}

func (c *boundConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
