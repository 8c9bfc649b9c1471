package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/secretfile"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/web"
)

func serveCommand(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("serve", "run the server until SIGTERM or SIGINT", "[flags]",
		"It first checks the settings as \"sallyport config check\" does, and does not start if they have faults.")
	c, err := p.Settings(f, args, 0, fileFaults)
	if err != nil {
		return err
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // GOMEMLIMIT is not set
		debug.SetMemoryLimit(server.MemoryLimit(c))
	}
	if c.Argon2.Parallel = server.Parallel(c.Argon2.Parallel); p.Variable("GOMAXPROCS") == "" {
		// Where every thread hashes, a goroutine that could go on waits until the Go scheduler
		// interrupts one, after 10 ms or more. With more threads the kernel decides, at once
		// (docs/performance.md).
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + c.Argon2.Parallel))
	}
	// Whatever may refuse the start comes before the database, or leaves that as it was.
	key, err := secretfile.ReadAdminKey(c.AdminKeyFile)
	if err != nil {
		return fmt.Errorf("admin_key_file: %w", err)
	}
	public, cert, err := server.Listen("listen", c.Listen, c.MaxConnections, c.TLS)
	if err != nil {
		return err
	}
	admin, adminCert, err := server.Listen("admin_listen", c.AdminListen, 0, config.TLS(c.AdminTLS))
	if err != nil {
		return errors.Join(err, public.Close())
	}
	mutual, mutualCert, err := server.ListenMTLS(c)
	if err != nil {
		return errors.Join(err, public.Close(), admin.Close())
	}
	sites := []server.Site{{Listener: public, Certificate: cert}, {Listener: admin, Certificate: adminCert}}
	if mutual != nil {
		sites = append(sites, server.Site{Listener: mutual, Certificate: mutualCert})
	}
	srv, err := openServer(ctx, p, c)
	if err != nil {
		return errors.Join(err, closeAll(sites))
	}
	defer srv.Close()
	api, err := srv.AdminAPI(key, c.Issuer, srv.Log, p.Random)
	if err != nil {
		return errors.Join(err, closeAll(sites))
	}
	for i, h := range []http.Handler{srv.Handler, srv.OpsHandler(api), srv.ForCertificates()}[:len(sites)] {
		sites[i].Server = web.NewServer(h, srv.Log)
	}
	// All listeners accept connections from here on.
	server.Notify(p.Variable("NOTIFY_SOCKET"), srv.Log, "READY=1")
	defer context.AfterFunc(ctx, func() { server.Notify(p.Variable("NOTIFY_SOCKET"), srv.Log, "STOPPING=1") })()
	srv.Log.Info("serving", "issuer", c.Issuer, "environment", c.Environment, "listen", public.Addr().String(), "admin", admin.Addr().String())
	return srv.Serve(ctx, c.DrainTime, sites...)
}

// closeAll closes the listeners of sites that are not served.
func closeAll(sites []server.Site) error {
	var errs []error
	for _, s := range sites {
		errs = append(errs, s.Listener.Close())
	}
	return errors.Join(errs...)
}

// openServer opens the server of these settings.
func openServer(ctx context.Context, p *cli.Program, c config.Config) (*server.Server, error) {
	o, err := server.NewOptions(c, server.NewLog(p.Err, c.LogLevel), p.Now, p.Random)
	if err != nil {
		return nil, err
	}
	o.Hangup = p.Hangup
	return server.Open(ctx, o)
}
