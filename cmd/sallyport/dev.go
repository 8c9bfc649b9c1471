package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/desired"
	"sallyport/web"
)

// devFlags is what dev can be told.
type devFlags struct {
	data, host, state string
	port              int
	tls, reset        bool
}

// dev serves a whole installation out of one folder: provider, demo application and
// virtual phone. Nothing in it is meant for anybody but the person at the keyboard.
func dev(ctx context.Context, p *program, args []string) error {
	var o devFlags
	f := p.flags("dev", "a complete server with test users, a demo application and a virtual phone")
	f.StringVar(&o.data, "data", "./.sallyport-dev", "`folder` that keeps the database, the keys and the passwords")
	f.BoolVar(&o.reset, "reset", false, "throw the folder away first")
	f.StringVar(&o.state, "state", "", "desired-state `file` to apply besides the built-in users and clients")
	f.IntVar(&o.port, "port", 8080, "port of the provider; the demo application and the admin listener get the next two")
	f.BoolVar(&o.tls, "tls", false, "serve https with a certificate made here")
	f.StringVar(&o.host, "host", "", "`address` to serve on instead of loopback, for real phones in your network; implies --tls")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if o.port < 1 || o.port > 65533 {
		return usageError{"dev: --port must be from 1 to 65533"}
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
	return p.runDev(ctx, o, place, folder)
}

func (p *program) runDev(ctx context.Context, o devFlags, at place, folder *folder) error {
	secrets, err := folder.secrets(p.random)
	if err != nil {
		return err
	}
	ls, err := at.listen(folder, p)
	if err != nil {
		return err
	}
	h, err := p.openDev(ctx, at, folder)
	if err != nil {
		return errors.Join(err, closeAll(ls))
	}
	defer h.close()
	pages, err := newDemo(h, at, secrets)
	if err == nil {
		err = h.seed(ctx, seeds(at, secrets), o.state)
	}
	var ops http.Handler
	if err == nil {
		ops, err = p.devOps(h, at, folder)
	}
	if err != nil {
		return errors.Join(err, closeAll(ls))
	}
	p.greet(ctx, h, at, folder, secrets)
	// Nobody balances load here, and whoever presses Ctrl-C does not want to wait.
	var sites []site
	for i, handler := range []http.Handler{h.handler, pages, ops} {
		sites = append(sites, site{web.NewServer(handler, h.log), ls[i]})
	}
	return h.serve(ctx, 0, sites...)
}

// devOps is what the admin listener serves, with a key that the folder keeps.
func (p *program) devOps(h *house, at place, folder *folder) (http.Handler, error) {
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
func (p *program) openDev(ctx context.Context, at place, folder *folder) (*house, error) {
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

// seed applies the built-in state and, if there is one, the developer's own.
func (h *house) seed(ctx context.Context, built desired.State, file string) error {
	if err := built.Validate(); err != nil {
		return fmt.Errorf("built-in state: %w", err)
	}
	if _, err := h.apply(ctx, built); err != nil {
		return fmt.Errorf("apply built-in state: %w", err)
	}
	if file == "" {
		return nil
	}
	own, err := h.loadPlan(ctx, file, desired.Options{})
	if err != nil {
		return err
	}
	if err := h.records().CarryOut(ctx, mfa.Caller{Actor: users.ActorAdmin, UserAgent: "sallyport dev"}, own); err != nil {
		return fmt.Errorf("apply %s: %w", file, err)
	}
	return nil
}

// place is where dev serves: the address it binds and the name browsers use.
type place struct {
	bind, name string
	port       int
	secure     bool
	exposed    bool // others in the network can come in
}

func locate(o devFlags) (place, error) {
	at := place{bind: "127.0.0.1", name: "localhost", port: o.port, secure: o.tls}
	if o.host == "" {
		return at, nil
	}
	ip, err := netip.ParseAddr(o.host)
	if err != nil {
		return at, usageError{"dev: --host must be an address, such as 192.168.1.20 or 0.0.0.0"}
	}
	at.bind = o.host
	if ip.IsLoopback() {
		return at, nil
	}
	// Browsers offer their cryptography to https and to localhost only, so a page
	// that another device opens needs TLS.
	at.secure, at.exposed, at.name = true, true, o.host
	if ip.IsUnspecified() {
		lan := lanAddresses()
		if len(lan) == 0 {
			return at, usageError{"dev: this machine has no address in a network; leave --host out"}
		}
		at.name = lan[0].String()
	}
	return at, nil
}

// lanAddresses returns the addresses under which others may reach this machine.
func lanAddresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() && p.Addr().Unmap().Is4() {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}

func (at place) origin(port int) string {
	scheme := "http"
	if at.secure {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(at.name, strconv.Itoa(port))
}

func (at place) issuer() string { return at.origin(at.port) }
func (at place) demo() string   { return at.origin(at.port + 1) }

// admin is on loopback whatever the others are on, and so without TLS.
func (at place) admin() string { return "http://localhost:" + strconv.Itoa(at.port+2) }

// listen opens the listeners of provider, demo application and admin API before anything
// is made, so that a taken port is told at once.
func (at place) listen(folder *folder, p *program) ([]net.Listener, error) {
	var secure *tls.Config
	if at.secure {
		cert, err := folder.certificate(at, p)
		if err != nil {
			return nil, err
		}
		secure = tlsConfig(cert)
	}
	var ls []net.Listener
	for i, x := range []struct {
		host   string
		secure *tls.Config
	}{{at.bind, secure}, {at.bind, secure}, {"127.0.0.1", nil}} {
		l, err := bound(x.host, at.port+i, x.secure)
		if err != nil {
			return nil, errors.Join(err, closeAll(ls))
		}
		ls = append(ls, l)
	}
	return ls, nil
}

func bound(host string, port int, secure *tls.Config) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("port %d is not free (try --port): %w", port, err)
	}
	if secure != nil {
		return tls.NewListener(l, secure), nil
	}
	return l, nil
}
