package adminclient

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

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/secretfile"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/input"
	"sallyport/web/admin"
)

// Find returns the admin API of the server that the settings belong to, or the same API in
// this process if that server does not run.
func Find(ctx context.Context, p *cli.Program, c config.Config, agent string) (*Client, error) {
	running, err := listening(ctx, LocalAddress(c.AdminListen))
	switch {
	case err != nil:
		return nil, err
	case running:
		return ofServer(c, agent, p.Random)
	}
	return InProcess(ctx, p, c, agent)
}

// Address names an admin API, the file of the key for it, and the certificates to trust.
type Address struct{ Server, KeyFile, CAFile string }

// At returns the admin API at an address. It must prove that it knows the key, even over
// https: a certificate proves a name, not that this is the server of the key.
func At(random io.Reader, a Address, agent string) (*Client, error) {
	u, err := url.Parse(a.Server)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, cli.UsageError("--server must be a URL of scheme and host only, such as https://admin.example.com")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !input.Loopback(u.Hostname())) {
		return nil, cli.UsageError("--server must begin with https:// (http:// would show the key to the network; it is for localhost only)")
	}
	if a.KeyFile == "" {
		return nil, cli.UsageError("--server needs --admin-key-file")
	}
	if a.CAFile != "" && u.Scheme != "https" {
		return nil, cli.UsageError("--ca-file belongs to a --server with https://")
	}
	key, err := secretfile.ReadKey(a.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--admin-key-file: %w", err)
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	to := prover{base: u.Scheme + "://" + u.Host, dials: net.JoinHostPort(u.Hostname(), port), key: key, named: true, agent: agent, random: random}
	if u.Scheme == "https" {
		to.trust = secureTo("", nil)
		if a.CAFile != "" {
			if to.trust, _, err = trusting(a.CAFile, false); err != nil {
				return nil, fmt.Errorf("--ca-file: %w", err)
			}
		}
		to.trust.ServerName = u.Hostname()
	}
	to.check = func(_ admin.Identity, valid bool) error {
		if !valid {
			return fmt.Errorf("the admin API at %s does not know the key, or belongs to another server; the key was not sent", to.base)
		}
		return nil
	}
	return to.client(), nil
}

// listening reports whether a process accepts connections at the admin listener's address.
func listening(ctx context.Context, address string) (bool, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("admin_listen: %w", err)
	}
	return true, conn.Close()
}

// ofServer returns the admin API of the running server that the settings belong to. It must
// prove that it knows the key before it gets it: while the server is down, any process on
// this machine could listen in its place.
func ofServer(c config.Config, agent string, random io.Reader) (*Client, error) {
	address := LocalAddress(c.AdminListen)
	if c.AdminKeyFile == "" {
		return nil, fmt.Errorf("a server listens at %s (admin_listen), and the settings name no admin_key_file to call it with; stop it, or name the file", address)
	}
	key, err := secretfile.ReadAdminKey(c.AdminKeyFile)
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
	to.check = func(id admin.Identity, valid bool) error {
		switch {
		case id.Issuer != c.Issuer:
			return fmt.Errorf("the server at %s (admin_listen) is %q, but the settings are those of %s: name its settings with --config", address, id.Issuer, c.Issuer)
		case !valid:
			return fmt.Errorf("the server at %s (admin_listen) does not know the key in admin_key_file: restart it if the file is new, or name the file it was started with", address)
		}
		return nil
	}
	return to.client(), nil
}

// InProcess returns the admin API in this process, over the database.
func InProcess(ctx context.Context, p *cli.Program, c config.Config, agent string) (*Client, error) {
	o, err := server.NewOptions(c, server.NewLog(p.Err, c.LogLevel), p.Now, p.Random)
	if err != nil {
		return nil, err
	}
	o.AdminOnly = true
	srv, err := server.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	key, err := secretfile.NewKey(p.Random)
	if err != nil {
		return nil, errors.Join(err, srv.Store.Close())
	}
	// The operator knows the requests of the command: only errors are logged.
	handler, err := srv.AdminAPI(key, c.Issuer, server.NewLog(p.Err, "error"), p.Random)
	if err != nil {
		return nil, errors.Join(err, srv.Store.Close())
	}
	r := newClient("http://here", key, agent, inProcess{handler})
	r.Close = srv.Close
	return r, nil
}
