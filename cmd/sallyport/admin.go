package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sallyport/config"
	"sallyport/storage/seal"
)

func migrate(ctx context.Context, p *program, args []string) error {
	c, err := p.settings(p.flags("migrate", "bring the database to this version's schema"), args, 0)
	if err != nil {
		return err
	}
	dsn, err := c.ReadDSN()
	if err != nil {
		return err
	}
	engine, err := openEngine(ctx, parts{config: c, dsn: dsn, log: newLog(p.err, c.LogLevel), now: p.now, random: p.random})
	if err != nil {
		return err
	}
	if err := engine.Migrate(ctx); err != nil {
		return errors.Join(fmt.Errorf("migrate: %w", err), engine.Close())
	}
	fmt.Fprintln(p.out, "The database has this version's schema.")
	return engine.Close()
}

func applyState(ctx context.Context, p *program, args []string) error {
	f := p.flags("apply", "make the clients and users of a desired-state file")
	c, err := p.settings(f, args, 1)
	if err != nil {
		return err
	}
	state, err := config.LoadState(f.Arg(0))
	if err != nil {
		return fmt.Errorf("the desired state has faults:\n%w", err)
	}
	h, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	defer h.close()
	done, err := h.apply(ctx, state)
	if err != nil {
		return fmt.Errorf("apply %s: %w", f.Arg(0), err)
	}
	fmt.Fprintf(p.out, "Clients: %d made, %d changed. Users: %d made.\n", done.ClientsCreated, done.ClientsChanged, done.UsersCreated)
	return nil
}

func keyfile(_ context.Context, p *program, args []string) error {
	f := p.flags("keyfile", "make a new key file (mode 0600); an existing file is never replaced")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	return writeNew(f.Arg(0), seal.NewKeyFile(p.random))
}

// writeNew writes a secret into a new file that only its owner can read.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(fmt.Errorf("write file: %w", err), f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}
