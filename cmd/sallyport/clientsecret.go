package main

import (
	"context"
	"fmt"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/secretfile"
	"sallyport/provider/secret"
)

// clientSecret makes a secret for the desired state of a client. It needs no server.
func clientSecret(_ context.Context, p *cli.Program, args []string) error {
	f := p.Flags("client secret", "make a secret for a new client, of 384 random bits", "[--out FILE]",
		"Write it into the desired state of the client, as client_secret, and give it to the client.")
	out := f.String("out", "-", "new `file` for the secret, which only its owner can read; - is standard output")
	if err := f.Parse(args, 0); err != nil {
		return err
	}
	text, err := secret.ForClient(p.Random)
	if err != nil {
		return err
	}
	if *out != "-" {
		return secretfile.Write(*out, []byte(text+"\n"))
	}
	_, err = fmt.Fprintln(p.Out, text)
	return err
}
