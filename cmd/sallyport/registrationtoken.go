package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/web/admin"
)

// registrationTokenCommand manages initial access tokens.
func registrationTokenCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "registration-token", "tokens with which programs register themselves as clients", []cli.Command{
		{Name: "create", Args: "--name NAME", About: "create a token, and print it once", Run: registrationTokenCreate},
		{Name: "list", Args: "", About: "all tokens, newest first", Run: registrationTokenList},
		{Name: "revoke", Args: "TOKEN", About: "end a token; clients that registered with it stay", Run: registrationTokenRevoke},
	}, args)
}

func registrationTokenCreate(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("registration-token create", "create a token with which programs register themselves, and print it once", "--name NAME [flags]",
		"Programs send it to the registration endpoint as a bearer token. The server keeps only a hash.")
	name := f.String("name", "", "`name` that says whom the token is for")
	uses := f.Int("uses", 1, "`number` of clients that may register with it")
	life := f.Duration("life", 24*time.Hour, "`time` until it expires, at most 8784h")
	d, err := connect(ctx, p, f, args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	if *name == "" {
		return cli.UsageError("registration-token create: want --name")
	}
	var done admin.Done
	body := map[string]any{"name": *name, "max_uses": *uses, "expires_at": d.p.Now().Add(*life).UTC().Format(time.RFC3339)}
	if err := d.Call(ctx, "POST", "/registration-tokens", nil, body, &done); err != nil {
		return withSubject(err, "registration token")
	}
	return d.print(done, func(w io.Writer) { fmt.Fprintln(w, done.Secret) })
}

func registrationTokenList(ctx context.Context, p *cli.Program, args []string) error {
	d, err := connect(ctx, p, p.Flags("registration-token list", "all tokens, newest first; secrets are not shown", "[flags]"), args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	var all admin.RegistrationTokens
	if err := d.Get(ctx, "/registration-tokens", nil, &all); err != nil {
		return err
	}
	return d.print(all.Tokens, func(w io.Writer) {
		fmt.Fprintln(w, "TOKEN\tNAME\tUSED\tLAST USED\tEXPIRES")
		for _, t := range all.Tokens {
			fmt.Fprintf(w, "%s\t%s\t%d of %d\t%s\t%s\n", t.ID, cli.Printable(t.Name), t.Uses, t.MaxUses, cli.OptionalTime(t.UsedAt), cli.Time(t.ExpiresAt))
		}
	})
}

func registrationTokenRevoke(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("registration-token revoke", "end a token", "TOKEN [flags]", "Clients that registered with it stay: delete those with client delete.")
	return change(ctx, p, f, args, call{find: func(_ context.Context, _ *connection, which string) (record, error) {
		label := "registration token " + cli.Printable(which)
		return record{"/registration-tokens/" + url.PathEscape(which), label, label}, nil
	}, method: "DELETE", ask: p.Ask(f), asks: "revoke "})
}
