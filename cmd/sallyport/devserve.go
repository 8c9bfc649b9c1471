package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"sallyport/config"
	"sallyport/web"
)

// devFlags is what dev can be told.
type devFlags struct {
	data, host, state string
	port              int
	tls, reset        bool
}

// runDev serves a whole installation out of one folder until ctx ends.
func runDev(ctx context.Context, p *program, o devFlags) error {
	if o.port < 1 || o.port > 65533 {
		return usageError("dev: --port must be from 1 to 65533")
	}
	place, err := locate(o)
	if err != nil {
		return err
	}
	folder, err := openFolder(o.data, o.reset)
	if err != nil {
		return err
	}
	defer folder.close()
	return serveDev(ctx, p, o, place, folder)
}

func serveDev(ctx context.Context, p *program, o devFlags, at place, folder *folder) error {
	secrets, err := folder.secrets(p.random)
	if err != nil {
		return err
	}
	ls, err := at.listen(folder, p.now, p.random)
	if err != nil {
		return err
	}
	h, err := openDev(ctx, p, at, folder)
	if err != nil {
		return errors.Join(err, closeAll(ls))
	}
	defer h.close()
	pages, err := newDemo(h, at, secrets)
	if err == nil {
		err = seed(ctx, h, seeds(at, secrets), o.state)
	}
	var ops http.Handler
	if err == nil {
		ops, err = devOps(p, h, at, folder)
	}
	if err != nil {
		return errors.Join(err, closeAll(ls))
	}
	greet(ctx, p, h, at, folder, secrets)
	// Nobody balances load here, and whoever presses Ctrl-C does not want to wait.
	var sites []site
	for i, handler := range []http.Handler{h.handler, pages, ops} {
		sites = append(sites, site{server: web.NewServer(handler, h.log), listener: ls[i]})
	}
	return h.serve(ctx, 0, sites...)
}

// devOps is what the admin listener serves, with a key that the folder keeps.
func devOps(p *program, h *house, at place, folder *folder) (http.Handler, error) {
	key, err := folder.adminKey(p.random)
	if err != nil {
		return nil, err
	}
	api, err := h.adminAPI(key, at.issuer(), h.log, p.random)
	return h.ops(api), err
}

func closeAll(ls []net.Listener) error {
	var errs []error
	for _, l := range ls {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// openDev builds the house over the folder's database.
func openDev(ctx context.Context, p *program, at place, folder *folder) (*house, error) {
	c := config.Default()
	c.Environment, c.Issuer, c.KeyFile = "test", at.issuer(), folder.path("keys")
	c.Database.DSN, c.Database.MaxConnections = "sqlite:"+folder.path("sallyport.db"), 8
	if at.secure {
		c.TLS = config.TLS{Cert: folder.path("tls.crt"), Key: folder.path("tls.key")}
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("settings of dev: %w", err)
	}
	keks, err := folder.keks(p.random)
	if err != nil {
		return nil, err
	}
	return build(ctx, parts{config: c, dsn: config.Secret(c.Database.DSN), keks: keks, migrate: true,
		log: folder.log(), now: p.now, random: p.random})
}
