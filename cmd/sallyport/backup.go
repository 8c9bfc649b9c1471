package main

import (
	"context"
	"fmt"

	"sallyport/cmd/sallyport/cli"
	"sallyport/storage/relational"
)

func backupCommand(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("backup", "copy a SQLite database into a new file while servers serve; PostgreSQL has its own tools", "COPY [flags]")
	c, err := p.Settings(f, args, 1)
	if err != nil {
		return err
	}
	return onSchema(ctx, p, c, false, func(e *relational.Engine) error {
		if err := e.Backup(ctx, f.Arg(0)); err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "%s is a copy of the database. It is useless without the key file: back that up elsewhere.\n", f.Arg(0))
		return nil
	})
}
