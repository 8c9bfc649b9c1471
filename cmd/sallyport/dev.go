package main

import (
	"context"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/dev"
)

// devCommand runs the development server. It is for the person at the keyboard only.
func devCommand(ctx context.Context, p *cli.Program, args []string) error {
	var o dev.Options
	f := p.Flags("dev", "run a complete server with test users, a demo application and a virtual phone")
	f.StringVar(&o.Data, "data", "./.sallyport-dev", "`folder` that keeps the database, the keys and the passwords")
	f.BoolVar(&o.Reset, "reset", false, "delete the folder first")
	f.StringVar(&o.State, "state", "", "desired-state `file` to apply besides the built-in users and clients")
	f.BoolVar(&o.Details, "details", false, "also print secrets of clients, recovery codes, a QR code, and further addresses")
	f.IntVar(&o.Port, "port", 8080, "port of the provider; the demo application and the admin listener get the next two")
	f.BoolVar(&o.TLS, "tls", false, "serve https with a certificate that dev creates")
	f.StringVar(&o.Host, "host", "", "`address` or name to serve on instead of loopback, so that phones in your network reach it; implies --tls. Passkeys need a name")
	if err := f.Parse(args, 0); err != nil {
		return err
	}
	return dev.Run(ctx, p, o)
}
