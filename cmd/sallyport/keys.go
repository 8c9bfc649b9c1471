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

	"sallyport/config"
	"sallyport/storage"
)

// keys is everything an operator does to the server's own keys. All of it works
// directly on the database, while servers serve.
func keys(ctx context.Context, p *program, args []string) error {
	return p.group(ctx, "keys", "the server's own keys; all of it works while servers serve", []command{
		{name: "list", args: "--config FILE", about: "which keys there are, since when and until when", run: keysList},
		{name: "rotate", args: "--config FILE --use USE", about: "make the next key of a use", run: keysRotate},
		{name: "retire", args: "--config FILE ID", about: "let a key go that nothing hangs on, or a stolen one at once", run: keysRetire},
		{name: "reseal", args: "--config FILE", about: "seal everything under the newest keys", run: keysReseal},
	}, args)
}

// openKeys opens the database and the keys in it, without building the rooms above.
func openKeys(ctx context.Context, p *program, c config.Config) (*house, error) {
	o, err := serverOptions(c, newLog(p.err, c.LogLevel), p.now, p.random)
	if err != nil {
		return nil, err
	}
	return withKeys(ctx, o)
}

func keysList(ctx context.Context, p *program, args []string) error {
	f := p.flags("keys list", "the server's own keys; nothing secret is shown")
	all := f.Bool("all", false, "expired keys too")
	c, err := p.settings(f, args, 0)
	if err != nil {
		return err
	}
	dsn, err := c.ReadDSN()
	if err != nil {
		return err
	}
	// The list needs no key file: it is there when something is wrong with that.
	engine, _, err := openEngine(ctx, parts{config: c, dsn: dsn, log: newLog(p.err, c.LogLevel), now: p.now, random: p.random})
	if err != nil {
		return err
	}
	now, from := p.now(), p.now()
	if *all {
		from = time.Time{}
	}
	err = schema(ctx, engine, false)
	var rows []storage.Key
	if err == nil {
		rows, err = engine.Keys(ctx, from)
	}
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	printKeys(p.out, rows, now)
	return engine.Close()
}

func printKeys(out io.Writer, rows []storage.Key, now time.Time) {
	slices.SortFunc(rows, func(a, b storage.Key) int {
		return cmp.Or(strings.Compare(a.Use, b.Use), strings.Compare(a.Alg, b.Alg), b.ActiveAt.Compare(a.ActiveAt), strings.Compare(string(b.ID), string(a.ID)))
	})
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tUSE\tALG\tKEK\tSTATE\tAGE\tCREATED\tACTIVE\tRETIRED\tEXPIRES")
	for _, k := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Use, cmp.Or(k.Alg, "-"), k.KEK, keyState(k, now),
			age(now.Sub(k.ActiveAt)), stamp(k.CreatedAt), stamp(k.ActiveAt), stamp(k.RetiredAt), stamp(k.ExpiresAt))
	}
	_ = t.Flush() // a reader that went away is no fault
}

// age is how long a key has been in use, in whole days or hours.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "-"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.Truncate(time.Second).String()
}
