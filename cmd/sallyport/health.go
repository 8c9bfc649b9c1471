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

// healthWait bounds the request: it is longer than a server waits for its database's clock.
const healthWait = 4 * time.Second

// healthCommand checks that a running server is ready. It is for containers that hold this
// program alone, and no curl.
func healthCommand(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("health", "check that a running server is ready", "[flags]",
		"Without --url it calls the admin listener that the settings name, from the same machine.\n"+
			"Exit code 0: ready. 1: not ready, stopping, or no response.")
	path := f.String("config", p.Variable("SALLYPORT_CONFIG"), "settings `file`; without one, the environment alone")
	address := f.String("url", "", "call this `address` instead, such as http://127.0.0.1:8090/readyz")
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
	text, err := checkHealth(ctx, *address, own)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Out, text)
	return nil
}

// checkHealth returns an error unless the response is 200. It uses no proxy and follows no
// redirect, because it is about one process. own: it is this machine's listener, whose
// certificate names no address of it.
func checkHealth(ctx context.Context, address string, own bool) (string, error) {
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
	response, err := client.Do(r)
	if err != nil {
		return "", fmt.Errorf("no response: %w", err)
	}
	_, readErr := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<10))
	if err := errors.Join(readErr, response.Body.Close()); err != nil {
		return "", fmt.Errorf("no response: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("not ready: %s responded with %d", address, response.StatusCode)
	}
	return "ready", nil
}
