package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"sallyport/config"
	"sallyport/config/strict"
	"sallyport/web/admin"
)

// reach finds the admin API that settings lead to: that of the server they belong to, or,
// where none runs, the same one in this process.
func reach(ctx context.Context, p *program, c config.Config, agent string) (*remote, error) {
	running, err := listening(ctx, fromHere(c.AdminListen))
	switch {
	case err != nil:
		return nil, err
	case running:
		return served(c, agent, p.random)
	}
	return here(ctx, p, c, agent)
}

// elsewhere is an admin API that somebody named, with which key, and whom to trust.
type elsewhere struct{ server, keyFile, caFile string }

// direct is the admin API that was named. It must prove that it knows the key, over https
// as well: a certificate says whose name it is, not that it is the server of this key.
func direct(random io.Reader, n elsewhere, agent string) (*remote, error) {
	u, err := url.Parse(n.server)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageError("--server must be a URL of scheme and host only, such as https://admin.example.com")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !strict.LoopbackHost(u.Hostname())) {
		return nil, usageError("--server must begin with https:// (http:// would show the key to the network; it is for localhost only)")
	}
	if n.keyFile == "" {
		return nil, usageError("--server needs --admin-key-file")
	}
	if n.caFile != "" && u.Scheme != "https" {
		return nil, usageError("--ca-file belongs to a --server with https://")
	}
	key, err := readKeyLine(n.keyFile)
	if err != nil {
		return nil, fmt.Errorf("--admin-key-file: %w", err)
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	to := prover{base: u.Scheme + "://" + u.Host, dials: net.JoinHostPort(u.Hostname(), port), key: key, named: true, agent: agent, random: random}
	if u.Scheme == "https" {
		to.trust = secureTo("", nil)
		if n.caFile != "" {
			if to.trust, _, err = trusting(n.caFile, false); err != nil {
				return nil, fmt.Errorf("--ca-file: %w", err)
			}
		}
		to.trust.ServerName = u.Hostname()
	}
	to.judge = func(_ admin.Identity, right bool) error {
		if !right {
			return fmt.Errorf("the admin API at %s does not know the key, or is that of another server; the key was not sent", to.base)
		}
		return nil
	}
	return to.remote(), nil
}

// listening reports whether somebody takes connections at the admin listener's address.
func listening(ctx context.Context, address string) (bool, error) {
	conn, err := (&net.Dialer{Timeout: dialWait}).DialContext(ctx, "tcp", address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("admin_listen: %w", err)
	}
	return true, conn.Close()
}

// served is the admin API of the server that the settings belong to. Before it is sent
// the key it must prove that it has it: while the server is down, anybody on this
// machine could listen in its place.
func served(c config.Config, agent string, random io.Reader) (*remote, error) {
	address := fromHere(c.AdminListen)
	if c.AdminKeyFile == "" {
		return nil, fmt.Errorf("something answers at %s (admin_listen), and the settings name no admin_key_file to talk to it; stop it, or name the file", address)
	}
	key, err := readAdminKey(c.AdminKeyFile)
	if err != nil {
		return nil, fmt.Errorf("admin_key_file: %w", err)
	}
	to := prover{base: "http://" + address, dials: address, key: key, agent: agent, random: random}
	if to.trust, err = trustOwn(c); err != nil {
		return nil, err
	}
	if to.trust != nil {
		to.base = "https://" + address
	}
	to.judge = func(id admin.Identity, right bool) error {
		switch {
		case id.Issuer != c.Issuer:
			return fmt.Errorf("the server at %s (admin_listen) is %q, and the settings are those of %s: name its own settings with --config", address, id.Issuer, c.Issuer)
		case !right:
			return fmt.Errorf("the server at %s (admin_listen) has another key than the file of admin_key_file: restart it if the file is new, or name the file it was started with", address)
		}
		return nil
	}
	return to.remote(), nil
}

// here is the admin API in this process, over the database.
func here(ctx context.Context, p *program, c config.Config, agent string) (*remote, error) {
	o, err := serverOptions(c, newLog(p.err, c.LogLevel), p.now, p.random)
	if err != nil {
		return nil, err
	}
	h, err := build(ctx, o)
	if err != nil {
		return nil, err
	}
	key, err := newSecretText(p.random)
	if err != nil {
		return nil, errors.Join(err, h.store.Close())
	}
	// Requests are no news to who makes them; faults are.
	handler, err := h.adminAPI(key, c.Issuer, newLog(p.err, "error"), p.random)
	if err != nil {
		return nil, errors.Join(err, h.store.Close())
	}
	r := newRemote("http://here", key, agent, inProcess{handler})
	r.close = h.close
	return r, nil
}
