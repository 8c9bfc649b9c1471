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
	"sallyport/config/strict"
	"sallyport/web/admin"
)

// reach finds the admin API that settings lead to: that of the server they belong to, or,
// where none runs, the same one in this process.
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

// elsewhere is an admin API that somebody named, with which key, and whom to trust.
type Address struct{ Server, KeyFile, CAFile string }

// direct is the admin API that was named. It must prove that it knows the key, over https
// as well: a certificate says whose name it is, not that it is the server of this key.
func At(random io.Reader, n Address, agent string) (*Client, error) {
	u, err := url.Parse(n.Server)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, cli.UsageError("--server must be a URL of scheme and host only, such as https://admin.example.com")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !strict.LoopbackHost(u.Hostname())) {
		return nil, cli.UsageError("--server must begin with https:// (http:// would show the key to the network; it is for localhost only)")
	}
	if n.KeyFile == "" {
		return nil, cli.UsageError("--server needs --admin-key-file")
	}
	if n.CAFile != "" && u.Scheme != "https" {
		return nil, cli.UsageError("--ca-file belongs to a --server with https://")
	}
	key, err := secretfile.ReadKey(n.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--admin-key-file: %w", err)
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	to := prover{base: u.Scheme + "://" + u.Host, dials: net.JoinHostPort(u.Hostname(), port), key: key, named: true, agent: agent, random: random}
	if u.Scheme == "https" {
		to.trust = secureTo("", nil)
		if n.CAFile != "" {
			if to.trust, _, err = trusting(n.CAFile, false); err != nil {
				return nil, fmt.Errorf("--ca-file: %w", err)
			}
		}
		to.trust.ServerName = u.Hostname()
	}
	to.check = func(_ admin.Identity, right bool) error {
		if !right {
			return fmt.Errorf("the admin API at %s does not know the key, or is that of another server; the key was not sent", to.base)
		}
		return nil
	}
	return to.client(), nil
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
func ofServer(c config.Config, agent string, random io.Reader) (*Client, error) {
	address := LocalAddress(c.AdminListen)
	if c.AdminKeyFile == "" {
		return nil, fmt.Errorf("something answers at %s (admin_listen), and the settings name no admin_key_file to talk to it; stop it, or name the file", address)
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
	to.check = func(id admin.Identity, right bool) error {
		switch {
		case id.Issuer != c.Issuer:
			return fmt.Errorf("the server at %s (admin_listen) is %q, and the settings are those of %s: name its own settings with --config", address, id.Issuer, c.Issuer)
		case !right:
			return fmt.Errorf("the server at %s (admin_listen) has another key than the file of admin_key_file: restart it if the file is new, or name the file it was started with", address)
		}
		return nil
	}
	return to.client(), nil
}

// here is the admin API in this process, over the database.
func InProcess(ctx context.Context, p *cli.Program, c config.Config, agent string) (*Client, error) {
	o, err := server.NewOptions(c, server.NewLog(p.Err, c.LogLevel), p.Now, p.Random)
	if err != nil {
		return nil, err
	}
	h, err := server.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	key, err := secretfile.NewKey(p.Random)
	if err != nil {
		return nil, errors.Join(err, h.Store.Close())
	}
	// Requests are no news to who makes them; faults are.
	handler, err := h.AdminAPI(key, c.Issuer, server.NewLog(p.Err, "error"), p.Random)
	if err != nil {
		return nil, errors.Join(err, h.Store.Close())
	}
	r := newClient("http://here", key, agent, inProcess{handler})
	r.Close = h.Close
	return r, nil
}
