package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sallyport/storage/seal"
)

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
