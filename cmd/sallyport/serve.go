package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"sallyport/config"
	"sallyport/storage/seal"
	"sallyport/web"
)

// grace is how long running requests get when the server stops.
const grace = 20 * time.Second

// settings reads the settings a command was told about, and checks them. rest is
// how many further arguments the command takes; checks look for further faults.
func (p *program) settings(f flags, args []string, rest int, checks ...config.Check) (config.Config, error) {
	load := p.loading(f, checks...)
	if err := f.parse(args, rest); err != nil {
		return config.Config{}, err
	}
	return load()
}

// loading declares the flags of a command with settings. What it returns reads them,
// once the flags are parsed.
func (p *program) loading(f flags, checks ...config.Check) func() (config.Config, error) {
	path := f.String("config", p.variable("SALLYPORT_CONFIG"), "settings `file`; without one, the environment alone")
	show := f.Bool("print", false, "print the settings in force and stop")
	return func() (config.Config, error) {
		c, err := config.Load(*path, p.environ, checks...)
		if err != nil {
			return c, fmt.Errorf("the settings have faults:\n%w", err)
		}
		if *show {
			fmt.Fprint(p.out, c.Redacted())
			return c, flag.ErrHelp
		}
		return c, nil
	}
}

func (p *program) variable(name string) string {
	for _, pair := range p.environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

func serve(ctx context.Context, p *program, args []string) error {
	f := p.flags("serve", "serve until SIGTERM or SIGINT", "[flags]",
		"Before it serves it looks for faults as \"sallyport config check\" does, and serves only without any.")
	c, err := p.settings(f, args, 0, fileFaults)
	if err != nil {
		return err
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // GOMEMLIMIT says nothing
		debug.SetMemoryLimit(memoryLimit(c))
	}
	h, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	defer h.close()
	public, err := listen("listen", c.Listen, c.MaxConnections, c.TLS)
	if err != nil {
		return err
	}
	key, err := readAdminKey(c.AdminKeyFile)
	if err != nil {
		return errors.Join(fmt.Errorf("admin_key_file: %w", err), public.Close())
	}
	api, err := h.adminAPI(key, c.Issuer, h.log, p.random)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	admin, err := listen("admin_listen", c.AdminListen, 0, config.TLS(c.AdminTLS))
	if err != nil {
		return errors.Join(err, public.Close())
	}
	// Both listeners take connections from here on.
	p.notify(h.log, "READY=1")
	defer context.AfterFunc(ctx, func() { p.notify(h.log, "STOPPING=1") })()
	h.log.Info("serving", "issuer", c.Issuer, "environment", c.Environment, "listen", public.Addr().String(), "admin", admin.Addr().String())
	return h.serve(ctx, c.DrainTime,
		site{web.NewServer(h.handler, h.log), public},
		site{web.NewServer(h.ops(api), h.log), admin})
}

// memoryLimit is where the garbage collector begins to work harder instead of letting
// memory grow: below 512 MiB on a small machine with everything at its default, hashes
// and connections at their most included.
func memoryLimit(c config.Config) int64 {
	const rest, connection = 192 << 20, 20 << 10
	return rest + int64(parallel(c.Argon2.Parallel))*int64(c.Argon2.Memory)<<10 + int64(c.MaxConnections)*connection
}

// open reads the secrets and builds the house.
func (p *program) open(ctx context.Context, c config.Config) (*house, error) {
	dsn, err := c.ReadDSN()
	if err != nil {
		return nil, err
	}
	keks, err := seal.ReadKeyFile(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	return build(ctx, parts{config: c, dsn: dsn, keks: keks, log: newLog(p.err, c.LogLevel), now: p.now, random: p.random})
}

// listen opens a listener, with TLS where there is a certificate. setting names its
// address in errors, "tls" or "admin_tls" its certificate; most bounds its connections, 0: nothing does.
func listen(setting, address string, most int, t config.TLS) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	if most > 0 {
		l = web.Bound(l, most)
	}
	if t.Cert == "" {
		return l, nil
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%stls: %w", strings.TrimSuffix(setting, "listen"), err), l.Close())
	}
	return tls.NewListener(l, tlsConfig(cert)), nil
}

// tlsConfig offers HTTP/2 by hand, because the listener is ours and not net/http's.
func tlsConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

// site is a server with the listener it serves.
type site struct {
	server   *http.Server
	listener net.Listener
}

// serve serves all sites and the background work until ctx ends or one of them
// fails, and then stops everything: the sites first, because their requests still
// write what the background work flushes.
func (h *house) serve(ctx context.Context, linger time.Duration, sites ...site) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	background := make(chan error, 1)
	go func() { background <- h.background(work) }()

	ends := make(chan error, len(sites))
	for _, s := range sites {
		go func() {
			ends <- web.Serve(ctx, s.server, s.listener, web.Stop{Leaving: h.leave, Linger: linger, Grace: grace})
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
func (h *house) leave() {
	if !h.health.leaving.Swap(true) {
		h.log.Info("stopping")
	}
}
