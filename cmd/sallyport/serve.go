package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	"sallyport/config"
	"sallyport/web"
)

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
	h, err := open(ctx, p, c)
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
	notify(p.variable("NOTIFY_SOCKET"), h.log, "READY=1")
	defer context.AfterFunc(ctx, func() { notify(p.variable("NOTIFY_SOCKET"), h.log, "STOPPING=1") })()
	h.log.Info("serving", "issuer", c.Issuer, "environment", c.Environment, "listen", public.Addr().String(), "admin", admin.Addr().String())
	return h.serve(ctx, c.DrainTime,
		site{server: web.NewServer(h.handler, h.log), listener: public},
		site{server: web.NewServer(h.ops(api), h.log), listener: admin})
}

// open builds the server of some settings.
func open(ctx context.Context, p *program, c config.Config) (*house, error) {
	o, err := serverOptions(c, newLog(p.err, c.LogLevel), p.now, p.random)
	if err != nil {
		return nil, err
	}
	return build(ctx, o)
}
