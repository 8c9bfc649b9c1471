package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/config"
)

// healthWait is how long a server may take to answer: longer than it waits for its
// database's clock.
const healthWait = 4 * time.Second

// healthCommand asks a running server whether it is ready. It exists for containers
// that hold this program and nothing else, so that there is no curl to ask with.
func healthCommand(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("health", "ask a running server whether it is ready", "[flags]",
		"Without --url it asks the admin listener that the settings name, from the same machine.\n"+
			"Exit code 0: ready. 1: not ready, stopping, or nobody there.")
	path := f.String("config", p.Variable("SALLYPORT_CONFIG"), "settings `file`; without one, the environment alone")
	address := f.String("url", "", "ask this `address` instead, such as http://127.0.0.1:8090/readyz")
	if err := f.Parse(args, 0); err != nil {
		return err
	}
	own := false
	if *address == "" {
		c, err := config.Load(*path, p.Environ)
		if err != nil {
			return fmt.Errorf("the settings have faults:\n%w", err)
		}
		*address = "http://" + adminclient.LocalAddress(c.AdminListen) + "/readyz"
		if own = c.AdminTLS.Cert != ""; own {
			*address = "https://" + adminclient.LocalAddress(c.AdminListen) + "/readyz"
		}
	}
	if u, err := url.Parse(*address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return cli.UsageError("health: --url must be an http or https address")
	}
	text, err := askHealth(ctx, *address, own)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Out, text)
	return nil
}

// askHealth returns nil when the answer is 200. It goes by no proxy and follows no
// redirect: the question is about one process. own: of this machine, whose certificate
// names no address of it.
func askHealth(ctx context.Context, address string, own bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healthWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", fmt.Errorf("health: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if own {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // nothing secret is sent
	}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return "", fmt.Errorf("no answer: %w", err)
	}
	_, readErr := io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<10))
	if err := errors.Join(readErr, answer.Body.Close()); err != nil {
		return "", fmt.Errorf("no answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("not ready: %s answered %d", address, answer.StatusCode)
	}
	return "ready", nil
}
