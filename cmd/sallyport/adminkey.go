package main

import (
	"context"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/secretfile"
)

func adminkeyCommand(_ context.Context, p *cli.Program, args []string) error {
	f := p.Flags("adminkey", "create a new key of the admin API (mode 0600); an existing file is never replaced", "FILE",
		"The setting admin_key_file names the file, and so does the flag --admin-key-file of the commands.")
	if err := f.Parse(args, 1); err != nil {
		return err
	}
	key, err := secretfile.NewKey(p.Random)
	if err != nil {
		return err
	}
	return secretfile.Write(f.Arg(0), []byte(key.Reveal()+"\n"))
}
