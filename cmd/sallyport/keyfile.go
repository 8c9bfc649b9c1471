package main

import (
	"context"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/secretfile"
	"sallyport/storage/seal"
)

func keyfileCommand(_ context.Context, p *cli.Program, args []string) error {
	f := p.Flags("keyfile", "create a new key file (mode 0600); an existing file is never replaced", "FILE")
	if err := f.Parse(args, 1); err != nil {
		return err
	}
	return secretfile.Write(f.Arg(0), seal.NewKeyFile(p.Random))
}
