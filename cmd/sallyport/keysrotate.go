package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/storage"
	"sallyport/storage/seal"
)

func keysRotate(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("keys rotate", "create the next key of a use; the old one still verifies and opens")
	use := f.String("use", "", "which keys: "+strings.Join(seal.Uses(), ", "))
	alg := f.String("alg", "", "for signing keys: the `algorithm`; default: every algorithm that has a key")
	now := f.Bool("now", false, fmt.Sprintf("use the new key in %s, when every server knows it, instead of after its time of publication", seal.Settle))
	c, err := p.Settings(f, args, 0)
	if err != nil {
		return err
	}
	if !slices.Contains(seal.Uses(), *use) {
		return cli.UsageError("keys rotate: --use must be one of " + strings.Join(seal.Uses(), ", "))
	}
	if *use == "dialect" && *alg != "" && *alg != seal.DialectAlg {
		return cli.UsageError("keys rotate: programs of the dialects verify " + seal.DialectAlg + " only")
	}
	srv, err := openKeys(ctx, p, c)
	if err != nil {
		return err
	}
	defer srv.Close()
	change, err := srv.Keys.Rotate(ctx, "admin", *use, *alg, seal.Lead(*use, *now))
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	for _, k := range append(change.Add, change.Change...) {
		fmt.Fprintln(p.Out, rotated(k))
	}
	if advice := afterRotation(*use); advice != "" {
		fmt.Fprintln(p.Out, advice)
	}
	return nil
}

// rotated describes what has happened to a key.
func rotated(k storage.Key) string {
	name := strings.TrimSpace(k.Use + " " + k.Alg)
	switch {
	case k.RetiredAt.IsZero():
		return fmt.Sprintf("%s: key %s is used from %s on.", name, k.ID, cli.Time(k.ActiveAt))
	case k.ExpiresAt.IsZero():
		return fmt.Sprintf("%s: key %s is used until then, and kept for what depends on it.", name, k.ID)
	}
	return fmt.Sprintf("%s: key %s is used until then and expires %s.", name, k.ID, cli.Time(k.ExpiresAt))
}

func afterRotation(use string) string {
	switch use {
	case "data", "hash":
		return "Stored secrets are still under the old key. To remove it: sallyport keys reseal --data, then sallyport keys retire ID."
	case "pepper":
		return "A password moves to the new pepper when its user signs in. The old one can be retired when all have moved."
	}
	return ""
}
