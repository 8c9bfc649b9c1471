package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/secretfile"
	"sallyport/web/admin"
)

// intoFile writes the secret of a response, which is shown once, to a new file. It creates
// the file first, so that it does nothing whose secret cannot be kept; if writing fails
// nevertheless, undo reverts it.
func (d *connection) intoFile(out string, do func() (string, error), undo func() error) error {
	if out == "-" {
		secret, err := do()
		if err != nil {
			return err
		}
		_, err = io.WriteString(d.p.Out, secret+"\n")
		return err
	}
	if err := secretfile.Write(out, nil); err != nil {
		return err
	}
	secret, err := do()
	if err != nil {
		return errors.Join(err, os.Remove(out))
	}
	if err := os.WriteFile(out, []byte(secret+"\n"), 0o600); err != nil {
		return errors.Join(fmt.Errorf("write secret: %w", err), undo(), os.Remove(out))
	}
	return nil
}

func apiKeyRotate(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("apikey rotate-secret", "replace the secret of an API key without an outage", "KEY --out FILE | --finish | --withdraw",
		"First, with --out: it creates a second secret and writes it to a new file that only its owner\n"+
			"can read. From then on both are valid. Give the new one to the backend. Then, with --finish,\n"+
			"it removes the old one. To give up, --withdraw removes the new one.")
	out := f.String("out", "", "new `file` for the new secret; - is standard output")
	finish := f.Bool("finish", false, "remove the old secret")
	withdraw := f.Bool("withdraw", false, "remove the new secret")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	switch {
	case *finish && !*withdraw && *out == "":
		return d.changeAPIKey(ctx, f.Arg(0), "DELETE", "/secrets/old")
	case *withdraw && !*finish && *out == "":
		return d.changeAPIKey(ctx, f.Arg(0), "DELETE", "/secrets/new")
	case *finish || *withdraw || *out == "":
		return cli.UsageError("apikey rotate-secret: want one of --out FILE, --finish and --withdraw")
	}
	k, err := d.apiKey(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	one := "/api-keys/" + string(k.ID) + "/secrets"
	var done admin.Done
	err = d.intoFile(*out, func() (string, error) {
		err := d.Call(ctx, "POST", one, nil, nil, &done)
		return done.Secret, err
	}, func() error { return d.Call(ctx, "DELETE", one+"/new", nil, nil, &admin.Done{}) })
	if err != nil {
		return withSubject(err, fmt.Sprintf("API key %q", f.Arg(0)))
	}
	if *out == "-" {
		return nil
	}
	return d.printDone(admin.Done{APIKey: k.ID, Done: "the secret in the new file is valid beside the old one; end with --finish or --withdraw"}, "API key "+apiKeyLabel(k))
}
