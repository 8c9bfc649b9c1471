// Package dev runs the development server: a provider with test users and clients, a demo
// application and a virtual phone, with all data in one folder.
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

// outboxName is the file of messages in the data folder.
const outboxName = "outbox.jsonl"

// Options are the flags of the command.
type Options struct {
	Data, Host, State string
	Port              int
	TLS, Reset        bool
	Details           bool // print also what the greeting has no room for
}

// Run serves until ctx ends.
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
	ls, cert, err := at.listen(folder, p.Now, p.Random)
	if err != nil {
		return err
	}
	srv, err := openServer(ctx, p, at, folder)
	if err != nil {
		return errors.Join(err, closeAll(ls))
	}
	defer srv.Close()
	pages, err := newDemo(srv, at, secrets, folder)
	var own ownState
	if err == nil {
		own, err = seed(ctx, srv, seeds(at, secrets), o.State)
	}
	var ops http.Handler
	if err == nil {
		ops, err = opsHandler(p, srv, at, folder)
	}
	if err != nil {
		return errors.Join(err, closeAll(ls))
	}
	if o.Details {
		writeDetails(ctx, p.Out, srv, at, folder, secrets, p.Colour)
	}
	writeGreeting(p.Out, at, folder, secrets, own, p.Colour)
	// There is no load balancer to wait for when Ctrl-C stops the server.
	var sites []server.Site
	for i, handler := range []http.Handler{srv.Handler, pages, ops} {
		sites = append(sites, server.Site{Server: web.NewServer(handler, srv.Log), Listener: ls[i]})
	}
	sites[0].Certificate = cert
	return srv.Serve(ctx, 0, sites...)
}

// opsHandler returns what the admin listener serves, with a key from the folder.
func opsHandler(p *cli.Program, srv *server.Server, at place, folder *folder) (http.Handler, error) {
	key, err := folder.adminKey(p.Random)
	if err != nil {
		return nil, err
	}
	api, err := srv.AdminAPI(key, at.issuer(), srv.Log, p.Random)
	return srv.OpsHandler(api), err
}

func closeAll(ls []net.Listener) error {
	var errs []error
	for _, l := range ls {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// openServer opens the server over the folder's database.
func openServer(ctx context.Context, p *cli.Program, at place, folder *folder) (*server.Server, error) {
	c := config.Default()
	c.Environment, c.Issuer, c.KeyFile = "test", at.issuer(), folder.path("keys")
	c.OutboxFile, c.SMS.Countries, c.CodeFactors = folder.path(outboxName), []string{"*"}, []string{"email", "sms"}
	c.Fetch.AllowedNetworks = []string{"127.0.0.0/8", "::1/128"} // applications on this machine are told of a sign-out
	c.SignUp, c.Usernames.Editable = "open", true
	c.Database.DSN, c.Database.MaxConnections = "sqlite:"+folder.path("sallyport.db"), 8
	if at.secure {
		c.TLS = config.TLS{Cert: folder.path(certName), Key: folder.path("tls.key")}
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("settings of dev: %w", err)
	}
	keks, err := folder.keks(p.Random)
	if err != nil {
		return nil, err
	}
	return server.Open(ctx, server.Options{Config: c, Developers: true, DSN: config.Secret(c.Database.DSN), KEKs: keks, Migrate: true,
		Log: folder.log(), Now: p.Now, Random: p.Random, Hangup: p.Hangup})
}
