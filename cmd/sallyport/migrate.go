package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/storage/relational"
)

// migrateCommand manages the schema. Without a verb it is "up".
func migrateCommand(ctx context.Context, p *cli.Program, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") && !slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		return migrateUp(ctx, p, args)
	}
	return p.Group(ctx, "migrate", "the schema of the database; the default verb is up", []cli.Command{
		{Name: "up", Args: "--config FILE", About: "migrate it to this version, while servers of the previous version serve", Run: migrateUp},
		{Name: "names", Args: "--config FILE", About: "compare names as this version does, once no server of the previous version serves", Run: migrateNames},
		{Name: "status", Args: "--config FILE", About: "the steps that the database has, and since when", Run: migrateStatus},
		{Name: "plan", Args: "--config FILE", About: "what up would do", Run: migratePlan},
		{Name: "down", Args: "--config FILE --yes", About: "revert the newest step", Run: migrateDown},
	}, args)
}

// onSchema opens the database without its keys, whatever its schema.
func onSchema(ctx context.Context, p *cli.Program, c config.Config, readOnly bool, do func(*relational.Engine) error) error {
	dsn, err := c.ReadDSN()
	if err != nil {
		return err
	}
	engine, _, err := server.OpenEngine(ctx, server.Options{Config: c, DSN: dsn, Log: server.NewLog(p.Err, c.LogLevel), Now: p.Now, Random: p.Random, ReadOnly: readOnly})
	if err != nil {
		return err
	}
	return errors.Join(do(engine), engine.Close())
}

func migrateStatus(ctx context.Context, p *cli.Program, args []string) error {
	c, err := p.Settings(p.Flags("migrate status", "the steps of the schema that the database has, and since when"), args, 0)
	if err != nil {
		return err
	}
	return onSchema(ctx, p, c, true, func(e *relational.Engine) error {
		all, err := e.Migrations(ctx)
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "VERSION\tAPPLIED\tNAME")
		pending, unknown := 0, 0
		for _, m := range all {
			name, applied := m.Name, cli.Time(m.AppliedAt)
			if m.AppliedAt.IsZero() {
				applied, pending = "pending", pending+1
			}
			if name == "" {
				name, unknown = "(of a newer version of Sallyport)", unknown+1
			}
			fmt.Fprintf(t, "%04d\t%s\t%s\n", m.Version, applied, name)
		}
		if err := t.Flush(); err != nil {
			return nil // a reader that went away is no fault
		}
		fmt.Fprintln(p.Out, schemaVerdict(pending, unknown))
		return nil
	})
}

func schemaVerdict(pending, unknown int) string {
	switch {
	case pending > 0:
		return fmt.Sprintf("%d to apply: run sallyport migrate up. This version does not serve before.", pending)
	case unknown > 0:
		return "The database is newer than this version, which can still serve it."
	}
	return "The database has this version's schema."
}

func migratePlan(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("migrate plan", "what \"migrate up\" would do; changes nothing")
	text := f.Bool("sql", false, "with the statements")
	c, err := p.Settings(f, args, 0)
	if err != nil {
		return err
	}
	return onSchema(ctx, p, c, true, func(e *relational.Engine) error {
		all, err := e.Migrations(ctx)
		if err != nil {
			return err
		}
		n := 0
		for _, m := range all {
			if !m.AppliedAt.IsZero() {
				continue
			}
			n++
			fmt.Fprintf(p.Out, "%d. %s\n", n, m.Name)
			if *text {
				fmt.Fprintf(p.Out, "\n%s\n\n", m.Up)
			}
		}
		if n == 0 {
			fmt.Fprintln(p.Out, "Nothing: the database has this version's schema.")
		}
		return nil
	})
}

func migrateUp(ctx context.Context, p *cli.Program, args []string) error {
	c, err := p.Settings(p.Flags("migrate up", "migrate the database to this version's schema, while servers of the previous version serve"), args, 0)
	if err != nil {
		return err
	}
	return onSchema(ctx, p, c, false, func(e *relational.Engine) error {
		stop := func() {}
		before := func(m relational.Migration) {
			fmt.Fprintf(p.Out, "%s ...\n", m.Name)
			stop = still(p.Out, m.Name)
		}
		after := func(m relational.Migration, took time.Duration) {
			stop()
			fmt.Fprintf(p.Out, "%s done in %s\n", m.Name, took.Round(time.Millisecond))
		}
		err := e.MigrateUp(ctx, before, after)
		if err != nil {
			stop()
			return fmt.Errorf("migrate: %w", err)
		}
		old, err := e.OldNames(ctx)
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		fmt.Fprintln(p.Out, "The database has this version's schema.")
		if old > 0 {
			fmt.Fprintf(p.Out, "Names that this version compares otherwise, and does not find yet: %d. Run sallyport migrate names once no server of the previous version serves.\n", old)
		}
		return nil
	})
}

// migrateNames gives names with letters beyond ASCII the value by which this version compares
// them. The previous version would send messages to that value.
func migrateNames(ctx context.Context, p *cli.Program, args []string) error {
	c, err := p.Settings(p.Flags("migrate names", "compare names as this version does, once no server of the previous version serves"), args, 0)
	if err != nil {
		return err
	}
	return onSchema(ctx, p, c, false, func(e *relational.Engine) error {
		taken, err := e.CompareNames(ctx)
		if err != nil {
			return fmt.Errorf("migrate names: %w", err)
		}
		for _, user := range taken {
			fmt.Fprintf(p.Out, "User %s: a name is another user's in this version, and no login finds it. Give the user another one.\n", user)
		}
		fmt.Fprintln(p.Out, "All other names are compared as this version does.")
		return nil
	})
}

// still prints every ten seconds that a step is running, until it is stopped.
func still(out io.Writer, name string) (stop func()) {
	const often = 10 * time.Second
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(often)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintf(out, "%s ... %s\n", name, time.Duration(n)*often)
			}
		}
	}()
	once := false
	return func() {
		if !once {
			once = true
			close(done)
			<-ended
		}
	}
}

func migrateDown(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("migrate down", "revert the newest step of the schema, and lose what is stored in it")
	yes := f.Bool("yes", false, "confirm")
	everything := f.Bool("drop-everything", false, "also confirm reverting the first step, which drops every table")
	c, err := p.Settings(f, args, 0)
	if err != nil {
		return err
	}
	return onSchema(ctx, p, c, true, func(e *relational.Engine) error {
		all, err := e.Migrations(ctx)
		if err != nil {
			return err
		}
		var newest *relational.Migration
		for i := range all {
			if !all[i].AppliedAt.IsZero() {
				newest = &all[i]
			}
		}
		switch {
		case newest == nil:
			fmt.Fprintln(p.Out, "Nothing: the database has no schema of Sallyport.")
			return nil
		case newest.Name == "":
			return fmt.Errorf("step %04d is of a newer version of Sallyport; revert it with that version", newest.Version)
		case !*yes:
			return fmt.Errorf("this would revert %s:\n\n%s\n\nStop the servers of this version, make a backup, and add --yes", newest.Name, newest.Down)
		case newest.Version == all[0].Version && !*everything:
			return fmt.Errorf("%s is the first step: reverting it drops every table with all users and keys; add --drop-everything", newest.Name)
		}
		if err := e.Writable(ctx); err != nil {
			return err
		}
		if err := e.MigrateDown(ctx, newest.Version); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		fmt.Fprintf(p.Out, "%s is reverted.\n", newest.Name)
		return nil
	})
}
