package main

import (
	"context"
)

func adminkey(_ context.Context, p *program, args []string) error {
	f := p.flags("adminkey", "make a new key of the admin API (mode 0600); an existing file is never replaced", "FILE",
		"The setting admin_key_file names the file, and so does the flag --admin-key-file of the commands.")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	key, err := newSecretText(p.random)
	if err != nil {
		return err
	}
	return writeNew(f.Arg(0), []byte(key.Reveal()+"\n"))
}
