package main

import (
	"context"

	"sallyport/storage/seal"
)

func keyfile(_ context.Context, p *program, args []string) error {
	f := p.flags("keyfile", "make a new key file (mode 0600); an existing file is never replaced")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	return writeNew(f.Arg(0), seal.NewKeyFile(p.random))
}
