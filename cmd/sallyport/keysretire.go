package main

import (
	"context"
	"fmt"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/keys"
	"sallyport/storage"
)

func keysRetire(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("keys retire", "let a key go that nothing hangs on any more, or, if it was stolen, at once")
	emergency := f.Bool("emergency", false, "at once, and everything made with it dies; a new key takes its place")
	c, err := p.Settings(f, args, 1)
	if err != nil {
		return err
	}
	id := storage.KeyID(f.Arg(0))
	h, err := openKeys(ctx, p, c)
	if err != nil {
		return err
	}
	defer h.Close()
	if *emergency {
		return withdraw(ctx, p, h.Keys, id)
	}
	k, err := h.Keys.Retire(ctx, id)
	if err != nil {
		return fmt.Errorf("retire %s: %w", id, err)
	}
	fmt.Fprintf(p.Out, "Key %s expires %s. Backups made before the last reseal need it and its key-encryption key.\n", id, cli.Time(k.ExpiresAt))
	return nil
}

// withdraw is the answer to a stolen key.
func withdraw(ctx context.Context, p *cli.Program, m *keys.Manager, id storage.KeyID) error {
	gone, added, err := m.Withdraw(ctx, id)
	if err != nil {
		return fmt.Errorf("retire %s: %w", id, err)
	}
	fmt.Fprintf(p.Out, "KEY %s (%s) IS WITHDRAWN. Within two seconds, on every server:\n", id, strings.TrimSpace(gone.Use+" "+gone.Alg))
	for _, line := range consequences(gone.Use) {
		fmt.Fprintln(p.Out, "  - "+line)
	}
	for _, k := range added {
		fmt.Fprintf(p.Out, "Key %s takes its place now.\n", k.ID)
	}
	return nil
}

// consequences says what withdrawing a key does to people and clients.
func consequences(use string) []string {
	switch use {
	case "oidc":
		return []string{
			"the key is no longer in /jwks.json, and no token signed by it counts here: access tokens are inactive, hints are refused;",
			"clients and resource servers that keep a copy of the key set believe its signatures until they fetch it again: tell them;",
			"logins that end in this moment may fail at the client once and succeed when they are tried again;",
			"refresh tokens and sessions are not signed by it and go on: clients get new access tokens with their refresh tokens.",
		}
	case "dialect":
		return []string{"no session JWT signed by it counts any more; clients get a new one with their session token."}
	case "session":
		return []string{"everybody is signed out of single sign-on and signs in again; tokens that clients hold go on."}
	case "token":
		return []string{"no refresh token made until now counts any more; users of these clients sign in again."}
	case "subject":
		return []string{
			"browsers are strangers again: failed passwords count for their users until each has signed in once;",
			"logins that wait for a second factor at a client's own page have to start anew;",
			"what unknown names are shown changes, so that who compares before and after can tell them from users.",
		}
	}
	return nil
}
