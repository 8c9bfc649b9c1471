package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/web/admin"
)

// connection is an admin API, and how to print its responses.
type connection struct {
	*adminclient.Client
	p    *cli.Program
	json bool
}

// connect parses the arguments of a verb and returns the admin API that these name. rest is
// how many arguments the verb takes besides flags.
func connect(ctx context.Context, p *cli.Program, f cli.Flags, args []string, rest int) (*connection, error) {
	d := &connection{p: p}
	f.BoolVar(&d.json, "json", false, "print JSON")
	server := f.String("server", "", "`URL` of the admin API to call, instead of that of the settings")
	caFile := f.String("ca-file", "", "PEM `file` with the certificates to trust for --server, instead of the system's")
	keyFile := f.String("admin-key-file", "", "`file` with the key for --server: an admin key or an API key")
	load := p.SettingsFlags(f)
	if err := f.Parse(args, rest); err != nil {
		return nil, err
	}
	agent := "sallyport " + f.Name()
	var err error
	if *server != "" {
		d.Client, err = adminclient.At(p.Random, adminclient.Address{Server: *server, KeyFile: *keyFile, CAFile: *caFile}, agent)
		return d, err
	}
	if *keyFile != "" || *caFile != "" {
		return nil, cli.UsageError(f.Name() + ": --admin-key-file and --ca-file need --server; without it the settings name the key")
	}
	c, err := load()
	if err != nil {
		return nil, err
	}
	d.Client, err = adminclient.Find(ctx, p, c, agent)
	return d, err
}

// print prints a result, as JSON or as text.
func (d *connection) print(view any, text func(w io.Writer)) error {
	if d.json {
		e := json.NewEncoder(d.p.Out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(view)
	}
	t := tabwriter.NewWriter(d.p.Out, 0, 0, 2, ' ', 0)
	text(t)
	return t.Flush()
}

// printDone prints what a verb has done to subject.
func (d *connection) printDone(x admin.Done, subject string) error {
	return d.print(x, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s\n", cli.Printable(subject), x.Done)
		if x.Link != "" {
			fmt.Fprintf(w, "link for the person, shown once: %s\nWhoever opens it gets the account: give it only to the person.\n", x.Link)
		}
		if x.EnrollmentCode != "" {
			fmt.Fprintf(w, "code for the user, shown once: %s\nGive it only to a person whom you have identified.\n", x.EnrollmentCode)
		}
	})
}

// user finds a user by id or any name.
func (d *connection) user(ctx context.Context, who string) (admin.User, error) {
	return d.find(ctx, who, url.Values{"name": {who}})
}

// find returns the only user that a query finds.
func (d *connection) find(ctx context.Context, who string, query url.Values) (admin.User, error) {
	var found admin.Users
	if err := d.Get(ctx, "/users", query, &found); err != nil {
		return admin.User{}, withSubject(err, fmt.Sprintf("user %q", who))
	}
	if len(found.Users) == 0 {
		return admin.User{}, fmt.Errorf("user %q: there is no such user", who)
	}
	return found.Users[0], nil
}

// withSubject adds to an error what it is about.
func withSubject(err error, subject string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", subject, err)
}

// withSubjectEach is withSubject for a refusal with several faults, a line each.
func withSubjectEach(err error, subject string) error {
	var e *adminclient.Problem
	if !errors.As(err, &e) || len(e.Faults) == 0 {
		return withSubject(err, subject)
	}
	lines := strings.Split(e.Faults.Error(), "\n")
	for i := range lines {
		lines[i] = subject + ": " + cli.Printable(lines[i])
	}
	return errors.New(strings.Join(lines, "\n"))
}
