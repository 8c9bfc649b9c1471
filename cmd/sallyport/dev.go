package main

import (
	"context"
)

// dev serves a whole installation out of one folder: provider, demo application and
// virtual phone. Nothing in it is meant for anybody but the person at the keyboard.
func dev(ctx context.Context, p *program, args []string) error {
	var o devFlags
	f := p.flags("dev", "a complete server with test users, a demo application and a virtual phone")
	f.StringVar(&o.data, "data", "./.sallyport-dev", "`folder` that keeps the database, the keys and the passwords")
	f.BoolVar(&o.reset, "reset", false, "throw the folder away first")
	f.StringVar(&o.state, "state", "", "desired-state `file` to apply besides the built-in users and clients")
	f.IntVar(&o.port, "port", 8080, "port of the provider; the demo application and the admin listener get the next two")
	f.BoolVar(&o.tls, "tls", false, "serve https with a certificate made here")
	f.StringVar(&o.host, "host", "", "`address` to serve on instead of loopback, for real phones in your network; implies --tls")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	return runDev(ctx, p, o)
}
