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

	"sallyport/web/admin"
)

// desk is where an operator works on users and clients: an admin API, and how to answer.
type desk struct {
	*remote
	p    *program
	json bool
}

// desk finds the admin API a verb works with. rest is how many further arguments the
// verb takes.
func newDesk(ctx context.Context, p *program, f flags, args []string, rest int) (*desk, error) {
	d := &desk{p: p}
	f.BoolVar(&d.json, "json", false, "answer in JSON")
	server := f.String("server", "", "`URL` of the admin API to work with, instead of that of the settings")
	caFile := f.String("ca-file", "", "PEM `file` with the certificates to trust at --server, instead of the system's")
	keyFile := f.String("admin-key-file", "", "`file` with the key for --server: an admin key, or an API key")
	load := p.loading(f)
	if err := f.parse(args, rest); err != nil {
		return nil, err
	}
	agent := "sallyport " + f.Name()
	var err error
	if *server != "" {
		d.remote, err = direct(p.random, elsewhere{server: *server, keyFile: *keyFile, caFile: *caFile}, agent)
		return d, err
	}
	if *keyFile != "" || *caFile != "" {
		return nil, usageError(f.Name() + ": --admin-key-file and --ca-file belong to --server")
	}
	c, err := load()
	if err != nil {
		return nil, err
	}
	d.remote, err = reach(ctx, p, c, agent)
	return d, err
}

// answer prints a result: in JSON, or as text.
func (d *desk) answer(view any, text func(w io.Writer)) error {
	if d.json {
		e := json.NewEncoder(d.p.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(view)
	}
	t := tabwriter.NewWriter(d.p.out, 0, 0, 2, ' ', 0)
	text(t)
	return t.Flush()
}

// did prints what a verb changed; who names whom it was done to.
func (d *desk) did(x admin.Done, who string) error {
	return d.answer(x, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", shownText(who), x.Done) })
}

// user is the user a verb was told about, by id or any name.
func (d *desk) user(ctx context.Context, who string) (admin.User, error) {
	var found admin.Users
	if err := d.get(ctx, "/users", url.Values{"name": {who}}, &found); err != nil {
		return admin.User{}, about(err, fmt.Sprintf("user %q", who))
	}
	if len(found.Users) == 0 {
		return admin.User{}, fmt.Errorf("user %q: there is no such user", who)
	}
	return found.Users[0], nil
}

// about says of whom something was refused.
func about(err error, whom string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", whom, err)
}

// aboutEach is about for a refusal that may have many lines.
func aboutEach(err error, whom string) error {
	var e *problem
	if !errors.As(err, &e) || len(e.Faults) == 0 {
		return about(err, whom)
	}
	lines := strings.Split(e.Faults.Error(), "\n")
	for i := range lines {
		lines[i] = whom + ": " + shownText(lines[i])
	}
	return errors.New(strings.Join(lines, "\n"))
}
