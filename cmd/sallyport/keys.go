package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/keys"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/storage"
)

// keysCommand manages the server's own keys, directly in the database.
func keysCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "keys", "the server's own keys; all of it works while servers serve", []cli.Command{
		{Name: "list", Args: "--config FILE", About: "all keys with their states and times", Run: keysList},
		{Name: "rotate", Args: "--config FILE --use USE", About: "create the next key of a use", Run: keysRotate},
		{Name: "retire", Args: "--config FILE ID", About: "retire a key that nothing depends on, or withdraw a stolen one", Run: keysRetire},
		{Name: "reseal", Args: "--config FILE", About: "seal keys and data under the newest keys", Run: keysReseal},
	}, args)
}

// openKeys opens the database and the keys in it.
func openKeys(ctx context.Context, p *cli.Program, c config.Config) (*server.Server, error) {
	o, err := server.NewOptions(c, server.NewLog(p.Err, c.LogLevel), p.Now, p.Random)
	if err != nil {
		return nil, err
	}
	return server.OpenKeys(ctx, o)
}

func keysList(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("keys list", "the server's own keys; no secret is shown")
	all := f.Bool("all", false, "also print expired keys")
	c, err := p.Settings(f, args, 0)
	if err != nil {
		return err
	}
	dsn, err := c.ReadDSN()
	if err != nil {
		return err
	}
	// The list needs no key file, so that it works when that file is the problem.
	engine, _, err := server.OpenEngine(ctx, server.Options{Config: c, DSN: dsn, Log: server.NewLog(p.Err, c.LogLevel), Now: p.Now, Random: p.Random, ReadOnly: true})
	if err != nil {
		return err
	}
	now, from := p.Now(), p.Now()
	if *all {
		from = time.Time{}
	}
	err = server.CheckSchema(ctx, engine)
	var rows []storage.Key
	if err == nil {
		rows, err = engine.Keys(ctx, from)
	}
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	printKeys(p.Out, rows, now)
	return engine.Close()
}

func printKeys(out io.Writer, rows []storage.Key, now time.Time) {
	slices.SortFunc(rows, func(a, b storage.Key) int {
		return cmp.Or(strings.Compare(a.Use, b.Use), strings.Compare(a.Alg, b.Alg), b.ActiveAt.Compare(a.ActiveAt), strings.Compare(string(b.ID), string(a.ID)))
	})
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tUSE\tALG\tKEK\tSTATE\tAGE\tCREATED\tACTIVE\tRETIRED\tEXPIRES")
	for _, k := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Use, cmp.Or(k.Alg, "-"), k.KEK, keys.State(k, now),
			age(now.Sub(k.ActiveAt)), cli.Time(k.CreatedAt), cli.Time(k.ActiveAt), cli.Time(k.RetiredAt), cli.Time(k.ExpiresAt))
	}
	_ = t.Flush() // a reader that has gone is not an error
}

// age formats how long a key has been in use, in days from two days on.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.Truncate(time.Second).String()
}
