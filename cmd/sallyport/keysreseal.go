package main

import (
	"context"
	"fmt"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/keys"
)

func keysReseal(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("keys reseal", "seal every key under the first key-encryption key of the key file")
	data := f.Bool("data", false, "also reseal every stored secret under the newest data key, and recovery codes and counters under the newest hash key")
	batch := f.Int("batch", keys.Batch, "rows of a step of --data, 1 to 1000")
	c, err := p.Settings(f, args, 0)
	if err != nil {
		return err
	}
	if *batch < 1 || *batch > 1000 {
		return cli.UsageError("keys reseal: --batch must be from 1 to 1000")
	}
	srv, err := openKeys(ctx, p, c)
	if err != nil {
		return err
	}
	defer srv.Close()
	n, kek, err := srv.Keys.Rewrap(ctx)
	if err != nil {
		return fmt.Errorf("reseal: %w", err)
	}
	fmt.Fprintf(p.Out, "Keys: %d resealed, all are under key-encryption key %q now. Servers need no other line of the key file; earlier backups do.\n", n, kek)
	if !*data {
		return nil
	}
	report := func(format string, args ...any) { fmt.Fprintf(p.Out, format+"\n", args...) }
	if err := srv.Keys.ResealData(ctx, *batch, report); err != nil {
		return fmt.Errorf("reseal: %w", err)
	}
	fmt.Fprintln(p.Out, "Every stored secret is under the newest keys. Keys of use data and hash that are retired can be removed: sallyport keys retire ID.")
	return nil
}
