package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"sallyport/web/admin"
)

// group plays a command that has verbs of its own.
func (p *program) group(ctx context.Context, name, about string, verbs []command, args []string) error {
	if len(args) > 0 {
		for _, v := range verbs {
			if v.name == args[0] {
				return v.run(ctx, p, args[1:])
			}
		}
	}
	if len(args) > 0 && slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprintf(p.out, "sallyport %s: %s\n\n", name, about)
		t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
		for _, v := range verbs {
			fmt.Fprintf(t, "  sallyport %s %s %s\t%s\n", name, v.name, v.args, v.about)
		}
		fmt.Fprintf(t, "\n\"sallyport %s VERB -h\" shows the flags of a verb.\n", name)
		_ = t.Flush() // a reader that went away is no fault
		return nil
	}
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.name
	}
	return usageError{fmt.Sprintf("%s: want one of %s; see sallyport %s -h", name, strings.Join(names, ", "), name)}
}

// ordered puts flags before arguments, because package flag stops at the first
// argument, and people write "apply FILE --dry-run".
func (f flags) ordered(args []string) []string {
	var named, rest []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		named = append(named, arg)
		known := f.Lookup(strings.TrimLeft(arg, "-"))
		if known == nil { // "name=value", or one that the package refuses
			continue
		}
		if b, ok := known.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			continue
		}
		if i+1 == len(args) { // its value is missing: the package says so
			return append(rest[:0:0], named...)
		}
		i++
		named = append(named, args[i])
	}
	return append(append(named, "--"), rest...)
}

// desk is where an operator works on users and clients: an admin API, and how to answer.
type desk struct {
	*remote
	p    *program
	json bool
}

// desk finds the admin API a verb works with. rest is how many further arguments the
// verb takes.
func (p *program) desk(ctx context.Context, f flags, args []string, rest int) (*desk, error) {
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
		d.remote, err = p.direct(elsewhere{*server, *keyFile, *caFile}, agent)
		return d, err
	}
	if *keyFile != "" || *caFile != "" {
		return nil, usageError{f.Name() + ": --admin-key-file and --ca-file belong to --server"}
	}
	c, err := load()
	if err != nil {
		return nil, err
	}
	d.remote, err = p.reach(ctx, c, agent)
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

// shownText is a text that others chose, as a terminal may show it: control characters
// could repaint the screen.
func shownText(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
