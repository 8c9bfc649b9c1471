package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"sallyport/config"
	"sallyport/config/strict"
	"sallyport/web"
	"sallyport/web/admin"
)

// dialWait is how long a command waits for somebody to take its connection.
const dialWait = 3 * time.Second

// remote is an admin API, wherever it is.
type remote struct {
	client *http.Client
	base   string // without the path of the API
	key    config.Secret
	agent  string // says in the audit trail which command it was
	close  func()
}

// problem is a refusal of the admin API.
type problem struct{ admin.Problem }

func (e *problem) Error() string {
	text := shownText(e.Detail)
	if e.Status >= http.StatusInternalServerError {
		text += " (support id " + e.Support + ")"
	}
	return text
}

// reach finds the admin API that settings lead to: that of the server they belong to, or,
// where none runs, the same one in this process.
func (p *program) reach(ctx context.Context, c config.Config, agent string) (*remote, error) {
	running, err := listening(ctx, fromHere(c.AdminListen))
	switch {
	case err != nil:
		return nil, err
	case running:
		return p.served(c, agent)
	}
	return p.here(ctx, c, agent)
}

// elsewhere is an admin API that somebody named, with which key, and whom to trust.
type elsewhere struct{ server, keyFile, caFile string }

// direct is the admin API that was named. It must prove that it knows the key, over https
// as well: a certificate says whose name it is, not that it is the server of this key.
func (p *program) direct(n elsewhere, agent string) (*remote, error) {
	u, err := url.Parse(n.server)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageError{"--server must be a URL of scheme and host only, such as https://admin.example.com"}
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !strict.LoopbackHost(u.Hostname())) {
		return nil, usageError{"--server must begin with https:// (http:// would show the key to the network; it is for localhost only)"}
	}
	if n.keyFile == "" {
		return nil, usageError{"--server needs --admin-key-file"}
	}
	if n.caFile != "" && u.Scheme != "https" {
		return nil, usageError{"--ca-file belongs to a --server with https://"}
	}
	key, err := readKeyLine(n.keyFile)
	if err != nil {
		return nil, fmt.Errorf("--admin-key-file: %w", err)
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	to := prover{base: u.Scheme + "://" + u.Host, dials: net.JoinHostPort(u.Hostname(), port), key: key, named: true, agent: agent, random: p.random}
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

func newRemote(base string, key config.Secret, agent string, transport http.RoundTripper) *remote {
	return &remote{base: base, key: key, agent: agent, close: func() {}, client: &http.Client{Transport: transport,
		// The key goes where it was meant to go and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
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
func (p *program) served(c config.Config, agent string) (*remote, error) {
	address := fromHere(c.AdminListen)
	if c.AdminKeyFile == "" {
		return nil, fmt.Errorf("something answers at %s (admin_listen), and the settings name no admin_key_file to talk to it; stop it, or name the file", address)
	}
	key, err := readAdminKey(c.AdminKeyFile)
	if err != nil {
		return nil, fmt.Errorf("admin_key_file: %w", err)
	}
	to := prover{base: "http://" + address, dials: address, key: key, agent: agent, random: p.random}
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
func (p *program) here(ctx context.Context, c config.Config, agent string) (*remote, error) {
	h, err := p.open(ctx, c)
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

func (r *remote) get(ctx context.Context, path string, query url.Values, into any) error {
	return r.call(ctx, http.MethodGet, path, query, nil, into)
}

// call makes one call. body is nothing, the text of a desired state, or what is sent as
// JSON. A refusal is a *problem.
func (r *remote) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	text, kind, err := encoded(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+admin.Base+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.URL.RawQuery = query.Encode()
	req.Header.Set("User-Agent", r.agent)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key.Reveal())
	}
	answer, err := r.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its own text is the address with the query
		}
		if refused, ok := errors.AsType[unproven](err); ok {
			return refused.error
		}
		return fmt.Errorf("call the admin API at %s: %w", r.base, err)
	}
	defer answer.Body.Close()
	return readAnswer(r.base, answer, into)
}

func encoded(body any) ([]byte, string, error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, "application/yaml", nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, "", fmt.Errorf("write request: %w", err)
	}
	return text, "application/json", nil
}

// readAnswer takes an answer of the admin API at an address apart. Numbers stay as they were written.
func readAnswer(base string, answer *http.Response, into any) error {
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	good := answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusCreated
	if err != nil || answer.Header.Get(web.CorrelationHeader) == "" || good && kind != "application/json" || !good && kind != "application/problem+json" {
		return fmt.Errorf("what answers at %s is no admin API of Sallyport (status %d)", base, answer.StatusCode)
	}
	d := json.NewDecoder(answer.Body)
	d.UseNumber()
	if good {
		if err := d.Decode(into); err != nil {
			return fmt.Errorf("read the answer of the admin API at %s: %w", base, err)
		}
		return nil
	}
	var e problem
	if err := d.Decode(&e.Problem); err != nil {
		return fmt.Errorf("read the answer of the admin API at %s: %w", base, err)
	}
	if e.Status == http.StatusUnauthorized {
		return fmt.Errorf("the admin API at %s does not know the key: %w", base, &e)
	}
	return &e
}
