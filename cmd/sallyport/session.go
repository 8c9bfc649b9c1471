package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/web/admin"
)

// sessionCommand manages sessions.
func sessionCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "session", "sessions of users; USER is an id or any name", []cli.Command{
		{Name: "list", Args: "USER", About: "active sessions of a user, newest first", Run: sessionList},
		{Name: "devices", Args: "USER", About: "remembered devices of a user, which need no second factor", Run: sessionDevices},
		{Name: "forget", Args: "USER", About: "ask a user for the second factor again", Run: sessionForget},
		{Name: "end", Args: "SESSION", About: "end one session", Run: sessionEnd},
		{Name: "end-all", Args: "USER", About: "end all sessions of a user", Run: sessionEndAll},
	}, args)
}

func sessionList(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("session list", "active sessions of a user, newest first", "USER [flags]")
	return listOf(ctx, p, f, args, "/sessions", func(l admin.Sessions) any { return l.Sessions }, func(w io.Writer, l admin.Sessions) {
		fmt.Fprintln(w, "SESSION\tORIGIN\tLEVEL\tPROOFS\tADDRESS\tSINCE\tLAST SEEN\tUNTIL\tBROWSER")
		for _, v := range l.Sessions {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Origin, v.Level, strings.Join(v.Methods, ", "),
				v.Address, cli.Time(v.CreatedAt), cli.Time(v.LastSeenAt), cli.Time(v.ExpiresAt), cli.Printable(v.UserAgent))
		}
	})
}

// listOf prints a list of one user: as JSON what rows returns of it, else the text.
func listOf[L any](ctx context.Context, p *cli.Program, f cli.Flags, args []string, path string, rows func(L) any, text func(io.Writer, L)) error {
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	u, err := d.user(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	var list L
	if err := d.Get(ctx, "/users/"+string(u.ID)+path, nil, &list); err != nil {
		return withSubject(err, fmt.Sprintf("user %q", f.Arg(0)))
	}
	return d.print(rows(list), func(w io.Writer) { text(w, list) })
}

func sessionEnd(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("session end", "end one session and the tokens that depend on it", "SESSION [flags]")
	offline := f.Bool("offline", false, "also end its tokens with offline access")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	id := f.Arg(0)
	var done admin.Done
	if err := d.Call(ctx, "DELETE", "/sessions/"+url.PathEscape(id), offlineToo(*offline), nil, &done); err != nil {
		return withSubject(err, fmt.Sprintf("session %q", id))
	}
	return d.printDone(done, "session "+id)
}

// offlineToo returns the parameter that also ends tokens with offline access.
func offlineToo(yes bool) url.Values {
	if !yes {
		return nil
	}
	return url.Values{"offline": {"true"}}
}

func sessionEndAll(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("session end-all", "end all sessions of a user, their pending logins and the tokens that depend on them", "USER [flags]")
	offline := f.Bool("offline", false, "also end tokens with offline access")
	return changeUser(ctx, p, f, args, "POST", "/sign-out", func() (url.Values, any, error) { return offlineToo(*offline), nil, nil })
}

func sessionDevices(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("session devices", "remembered devices of a user, newest first", "USER [flags]")
	return listOf(ctx, p, f, args, "/remembered-devices", func(l admin.RememberedDevices) any { return l.Devices }, func(w io.Writer, l admin.RememberedDevices) {
		fmt.Fprintln(w, "DEVICE\tPROOF\tPROVEN\tLAST USED\tUNTIL\tBROWSER")
		for _, v := range l.Devices {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Method, cli.Time(v.ProvenAt), cli.Time(v.LastUsedAt), cli.Time(v.ExpiresAt), cli.Printable(v.UserAgent))
		}
	})
}

func sessionForget(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("session forget", "ask a user for the second factor again, on all remembered devices or on one", "USER [flags]")
	device := f.String("device", "", "ID of the only device to forget")
	return changeUser(ctx, p, f, args, "DELETE", "/remembered-devices", func() (url.Values, any, error) {
		if *device == "" {
			return nil, nil, nil
		}
		return url.Values{"device": {*device}}, nil, nil
	})
}
