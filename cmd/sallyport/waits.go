package main

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"sallyport/cmd/sallyport/cli"
	"sallyport/web/admin"
)

// waitsCommand shows and ends the waits that failures have imposed.
func waitsCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "waits", "waits after wrong passwords, codes and client secrets", []cli.Command{
		{Name: "list", Args: "[flags]", About: "running waits of a user, a name, an address or a client", Run: waitsList},
		{Name: "lift", Args: "[flags]", About: "end them, and forget the failures behind them", Run: waitsLift},
	}, args)
}

// waitsOf defines the flags that say whose waits a command is about, and returns a function that
// makes the query of them.
func waitsOf(f cli.Flags) func(context.Context, *connection) (url.Values, error) {
	user := f.String("user", "", "of this `user`, an id or any name, with those of all the user's names")
	name := f.String("name", "", "of this `name` as typed at logins, whether or not a user has it")
	address := f.String("address", "", "of this IP `address`; IPv6: of its network of 64 bits")
	client := f.String("client", "", "of this `client`, in every network or at --address")
	return func(ctx context.Context, d *connection) (url.Values, error) {
		query := url.Values{}
		for key, value := range map[string]string{"name": *name, "address": *address, "client": *client} {
			if value != "" {
				query.Set(key, value)
			}
		}
		if *user != "" {
			u, err := d.user(ctx, *user)
			if err != nil {
				return nil, err
			}
			query.Set("user", string(u.ID))
		}
		if len(query) == 0 || len(query) > 1 && (len(query) > 2 || *client == "" || *address == "") {
			return nil, cli.UsageError("waits: name one of --user, --name, --address and --client; --client may have an --address")
		}
		return query, nil
	}
}

// openWaits connects for a command, and returns the query that its flags make.
func openWaits(ctx context.Context, p *cli.Program, f cli.Flags, args []string) (*connection, url.Values, error) {
	of := waitsOf(f)
	d, err := connect(ctx, p, f, args, 0)
	if err != nil {
		return nil, nil, err
	}
	query, err := of(ctx, d)
	if err != nil {
		d.Close()
		return nil, nil, err
	}
	return d, query, nil
}

func waitsList(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("waits list", "running waits of a user, a name, an address or a client", "[flags]")
	d, query, err := openWaits(ctx, p, f, args)
	if err != nil {
		return err
	}
	defer d.Close()
	var list admin.Waits
	if err := d.Get(ctx, "/waits", query, &list); err != nil {
		return err
	}
	return d.print(list.Waits, func(w io.Writer) {
		fmt.Fprintln(w, "WAIT\tUNTIL\tNETWORK")
		for _, x := range list.Waits {
			until, network := "unlocked", "-"
			if x.Until != nil {
				until = cli.Time(*x.Until)
			}
			if x.Network != "" {
				network = x.Network
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", x.Bucket, until, network)
		}
	})
}

func waitsLift(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("waits lift", "end running waits, and forget the failures behind them", "[flags]",
		"The counts start again, so lift a wait only when you know whose failures they were. A second factor that failures have disabled stays so: user unlock enables it.")
	d, query, err := openWaits(ctx, p, f, args)
	if err != nil {
		return err
	}
	defer d.Close()
	var done admin.Done
	if err := d.Call(ctx, "DELETE", "/waits", query, nil, &done); err != nil {
		return err
	}
	return d.printDone(done, "waits")
}
