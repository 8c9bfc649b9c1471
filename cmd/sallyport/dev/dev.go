// Package dev is the development server: a provider with test users and clients, a demo
// application and a virtual phone, all in one folder.
package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/web"
)

// devFlags is what dev can be told.
type Options struct {
	Data, Host, State string
	Port              int
	TLS, Reset        bool
}

// runDev serves a whole installation out of one folder until ctx ends.
func Run(ctx context.Context, p *cli.Program, o Options) error {
	if o.Port < 1 || o.Port > 65533 {
		return cli.UsageError("dev: --port must be from 1 to 65533")
	}
	place, err := newPlace(o)
	if err != nil {
		return err
	}
	folder, err := openFolder(o.Data, o.Reset)
	if err != nil {
		return err
	}
	defer folder.close()
	return serve(ctx, p, o, place, folder)
}

func serve(ctx context.Context, p *cli.Program, o Options, at place, folder *folder) error {
	secrets, err := folder.secrets(p.Random)
	if err != nil {
		return err
	}
	ls, err := at.listen(folder, p.Now, p.Random)
	if err != nil {
		return err
	}
	h, err := openServer(ctx, p, at, folder)
	if err != nil {
		return errors.Join(err, closeAll(ls))
	}
	defer h.Close()
	pages, err := newDemo(h, at, secrets)
	if err == nil {
		err = seed(ctx, h, seeds(at, secrets), o.State)
	}
	var ops http.Handler
	if err == nil {
		ops, err = opsHandler(p, h, at, folder)
	}
	if err != nil {
		return errors.Join(err, closeAll(ls))
	}
	printGreeting(ctx, p, h, at, folder, secrets)
	// Nobody balances load here, and whoever presses Ctrl-C does not want to wait.
	var sites []server.Site
	for i, handler := range []http.Handler{h.Handler, pages, ops} {
		sites = append(sites, server.Site{Server: web.NewServer(handler, h.Log), Listener: ls[i]})
	}
	return h.Serve(ctx, 0, sites...)
}

// devOps is what the admin listener serves, with a key that the folder keeps.
func opsHandler(p *cli.Program, h *server.Server, at place, folder *folder) (http.Handler, error) {
	key, err := folder.adminKey(p.Random)
	if err != nil {
		return nil, err
	}
	api, err := h.AdminAPI(key, at.issuer(), h.Log, p.Random)
	return h.OpsHandler(api), err
}

func closeAll(ls []net.Listener) error {
	var errs []error
	for _, l := range ls {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// openDev builds the house over the folder's database.
func openServer(ctx context.Context, p *cli.Program, at place, folder *folder) (*server.Server, error) {
	c := config.Default()
	c.Environment, c.Issuer, c.KeyFile = "test", at.issuer(), folder.path("keys")
	c.Database.DSN, c.Database.MaxConnections = "sqlite:"+folder.path("sallyport.db"), 8
	if at.secure {
		c.TLS = config.TLS{Cert: folder.path("tls.crt"), Key: folder.path("tls.key")}
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("settings of dev: %w", err)
	}
	keks, err := folder.keks(p.Random)
	if err != nil {
		return nil, err
	}
	return server.Open(ctx, server.Options{Config: c, DSN: config.Secret(c.Database.DSN), KEKs: keks, Migrate: true,
		Log: folder.log(), Now: p.Now, Random: p.Random})
}
