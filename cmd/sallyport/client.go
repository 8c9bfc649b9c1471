package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/secretfile"
	"sallyport/provider/desired"
	"sallyport/provider/secret"
	"sallyport/storage"
	"sallyport/web/admin"
)

// clientCommand manages clients.
func clientCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "client", "the OAuth clients; sallyport apply creates and changes them", []cli.Command{
		{Name: "list", Args: "", About: "all clients", Run: clientList},
		{Name: "show", Args: "CLIENT", About: "one client with its settings", Run: clientShow},
		{Name: "delete", Args: "CLIENT", About: "delete a client with its tokens and consents", Run: clientDelete},
		{Name: "secret", Args: "[--out FILE]", About: "make a secret for a new client", Run: clientSecret},
		{Name: "rotate-secret", Args: "CLIENT --out FILE", About: "add a second secret; --finish removes the old one", Run: clientRotate},
	}, args)
}

// kindOf returns the type of a client.
func kindOf(v admin.Client) string {
	switch {
	case v.Native:
		return "native"
	case v.Public:
		return "public"
	}
	return "confidential"
}

// stateOf returns whether a client may be used.
func stateOf(v admin.Client) string {
	if v.Disabled {
		return "disabled"
	}
	if v.Registration != nil {
		return "registered itself, last used " + cli.OptionalTime(v.Registration.UsedAt)
	}
	if v.Secrets > 1 {
		return "active, secret being rotated"
	}
	return "active"
}

func clientList(ctx context.Context, p *cli.Program, args []string) error {
	d, err := connect(ctx, p, p.Flags("client list", "all clients", "[flags]"), args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	var all admin.Clients
	if err := d.Get(ctx, "/clients", nil, &all); err != nil {
		return err
	}
	return d.print(all.Clients, func(w io.Writer) {
		fmt.Fprintln(w, "CLIENT\tNAME\tKIND\tMFA\tSTATE\tCHANGED")
		for _, v := range all.Clients {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, cli.Printable(v.Name), kindOf(v), v.MFA, stateOf(v), cli.Time(v.UpdatedAt))
		}
	})
}

// ofClient returns the path of a client, or one below it.
func ofClient(id, path string) string { return "/clients/" + url.PathEscape(id) + path }

func clientShow(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("client show", "one client with its settings; secrets are not shown", "CLIENT [flags]")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	var v admin.Client
	if err := d.Get(ctx, ofClient(f.Arg(0), ""), nil, &v); err != nil {
		return withSubject(err, fmt.Sprintf("client %q", f.Arg(0)))
	}
	return d.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "client_id\t%s\n", v.ID)
		for _, x := range desired.ClientDifferences(storage.Client{}, v.Client) {
			fmt.Fprintf(w, "%s\t%s\n", x.Key, cli.PrintableValue(x.To))
		}
		fmt.Fprintf(w, "secrets\t%d\n", v.Secrets)
		if r := v.Registration; r != nil {
			fmt.Fprintf(w, "registered itself\t%s\nlast used\t%s\nexpires, unless it is used\t%s\n", cli.Time(r.At), cli.OptionalTime(r.UsedAt), cli.Time(r.ExpiresAt))
		}
		fmt.Fprintf(w, "created\t%s\nchanged\t%s\n", cli.Time(v.CreatedAt), cli.Time(v.UpdatedAt))
	})
}

func clientDelete(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("client delete", "delete a client", "CLIENT [flags]", "Its tokens, its codes and the consents given to it are deleted too.")
	ask := p.Ask(f)
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	var v admin.Client
	if err := d.Get(ctx, ofClient(f.Arg(0), ""), nil, &v); err != nil {
		return withSubject(err, fmt.Sprintf("client %q", f.Arg(0)))
	}
	if err := ask(ctx, "delete client "+clientLabel(v)+" with its tokens and consents"); err != nil {
		return err
	}
	var done admin.Done
	if err := d.Call(ctx, "DELETE", ofClient(f.Arg(0), ""), nil, nil, &done); err != nil {
		return withSubject(err, fmt.Sprintf("client %q", f.Arg(0)))
	}
	return d.printDone(done, "client "+clientLabel(v))
}

// clientLabel returns the ID of a client and its name.
func clientLabel(v admin.Client) string {
	if v.Name == "" {
		return string(v.ID)
	}
	return string(v.ID) + " (" + cli.Printable(v.Name) + ")"
}

func clientRotate(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("client rotate-secret", "replace the secret of a client without an outage", "CLIENT --out FILE | --finish",
		"First, with --out: it creates a second secret and writes it to a new file that only its owner\n"+
			"can read. From then on both are valid. Give the new one to the client, and write it into the\n"+
			"desired state. Then, with --finish, it removes the old one.")
	out := f.String("out", "", "new `file` for the new secret; - is standard output")
	finish := f.Bool("finish", false, "remove the old secret")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	if (*out == "") != *finish {
		return cli.UsageError("client rotate-secret: want either --out FILE or --finish")
	}
	id, subject := f.Arg(0), fmt.Sprintf("client %q", f.Arg(0))
	var done admin.Done
	if *finish {
		if err := d.Call(ctx, "DELETE", ofClient(id, "/secrets/old"), nil, nil, &done); err != nil {
			return withSubject(err, subject)
		}
		return d.printDone(done, "client "+id)
	}
	if err := d.addSecret(ctx, id, *out, &done); err != nil {
		return withSubject(err, subject)
	}
	if *out == "-" { // the secret is all that goes there
		return nil
	}
	done.Done = "the secret in the new file is valid beside the old one; end with --finish"
	return d.printDone(done, "client "+id)
}

// addSecret writes the secret to its file before it adds it, because failing to write it
// afterwards would lose it. A secret that is refused is deleted; without a response it may be
// valid.
func (d *connection) addSecret(ctx context.Context, id, out string, done *admin.Done) error {
	text, err := secret.ForClient(d.p.Random)
	if err != nil {
		return err
	}
	add := func() error {
		return d.Call(ctx, "POST", ofClient(id, "/secrets"), nil, map[string]string{"client_secret": text}, done)
	}
	if out == "-" {
		if err := add(); err != nil {
			return err
		}
		_, err := io.WriteString(d.p.Out, text+"\n")
		return err
	}
	if err := secretfile.Write(out, []byte(text+"\n")); err != nil {
		return err
	}
	err = add()
	var e *adminclient.Problem
	switch {
	case errors.As(err, &e):
		return errors.Join(err, os.Remove(out))
	case err != nil:
		return fmt.Errorf("%w; the secret in %s may be valid or not: check with \"sallyport client show\"", err, out)
	}
	return nil
}
