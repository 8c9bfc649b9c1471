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
	f := p.Flags("keys retire", "retire a key that nothing depends on, or withdraw a stolen one", "ID [flags]")
	emergency := f.Bool("emergency", false, "withdraw the key immediately: what it signed or sealed becomes invalid; a new key replaces it")
	ask := p.Ask(f)
	c, err := p.Settings(f, args, 1)
	if err != nil {
		return err
	}
	id := storage.KeyID(f.Arg(0))
	srv, err := openKeys(ctx, p, c)
	if err != nil {
		return err
	}
	defer srv.Close()
	if *emergency {
		if err := ask(ctx, fmt.Sprintf("withdraw key %s at once, on every server", id)); err != nil {
			return err
		}
		return withdraw(ctx, p, srv.Keys, id)
	}
	k, err := srv.Keys.Retire(ctx, id)
	if err != nil {
		return fmt.Errorf("retire %s: %w", id, err)
	}
	fmt.Fprintf(p.Out, "Key %s (%s) expires %s. Backups from before the last reseal need it and its key-encryption key.\n", id, strings.TrimSpace(k.Use+" "+k.Alg), cli.Time(k.ExpiresAt))
	return nil
}

// withdraw withdraws a stolen key and prints the consequences.
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
		fmt.Fprintf(p.Out, "Key %s replaces it now.\n", k.ID)
	}
	return nil
}

// consequences describes what withdrawing a key does to users and clients.
func consequences(use string) []string {
	switch use {
	case "oidc":
		return []string{
			"the key is no longer in /jwks.json, and no token signed by it is accepted here: access tokens are inactive, hints are refused;",
			"clients and resource servers that cache the key set accept its signatures until they fetch it again: notify them;",
			"logins that finish at this moment may fail once at the client, and succeed when tried again;",
			"refresh tokens and sessions are not signed by it and stay valid: clients get new access tokens with their refresh tokens.",
		}
	case "dialect":
		return []string{
			"the key is in no key set of the dialects, and session JWTs signed by it are refused here; backends get new ones with their session tokens;",
			"backends that cache the key set accept its signatures until they fetch it again: notify them;",
			"sessions are not signed by it and stay valid.",
		}
	case "session":
		return []string{"every user is signed out of single sign-on and signs in again; tokens that clients hold stay valid."}
	case "token":
		return []string{"every refresh token issued until now is refused; users of these clients sign in again."}
	case "subject":
		return []string{
			"no browser is recognised: failed passwords count against their users until each has signed in once;",
			"logins that wait for a second factor at a client's own page have to start again;",
			"decoys for unknown names change, so that comparing responses before and after distinguishes them from users.",
		}
	}
	return nil
}
