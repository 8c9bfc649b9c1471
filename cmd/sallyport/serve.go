package main

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	srv, err := openServer(ctx, p, c)
	if err != nil {
		return errors.Join(err, public.Close(), admin.Close())
	}
	defer srv.Close()
	api, err := srv.AdminAPI(key, c.Issuer, srv.Log, p.Random)
	if err != nil {
		return errors.Join(err, public.Close(), admin.Close())
	}
	// Both listeners accept connections from here on.
	server.Notify(p.Variable("NOTIFY_SOCKET"), srv.Log, "READY=1")
	defer context.AfterFunc(ctx, func() { server.Notify(p.Variable("NOTIFY_SOCKET"), srv.Log, "STOPPING=1") })()
	srv.Log.Info("serving", "issuer", c.Issuer, "environment", c.Environment, "listen", public.Addr().String(), "admin", admin.Addr().String())
	return srv.Serve(ctx, c.DrainTime,
		server.Site{Server: web.NewServer(srv.Handler, srv.Log), Listener: public, Certificate: cert},
		server.Site{Server: web.NewServer(srv.OpsHandler(api), srv.Log), Listener: admin, Certificate: adminCert})
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
