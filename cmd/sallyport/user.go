package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/storage"
	"sallyport/web/admin"
)

// userCommand manages users.
func userCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "user", "the users; USER is an id or any name", []cli.Command{
		{Name: "list", Args: "", About: "users in the order of their ids", Run: userList},
		{Name: "show", Args: "USER", About: "one user with their factors", Run: userShow},
		{Name: "create", Args: "--username NAME ...", About: "create a user", Run: userCreate},
		{Name: "import", Args: "FILE", About: "create the users of a file, one a line", Run: userImport},
		{Name: "disable", Args: "USER", About: "refuse a user's logins, end their sessions and tokens", Run: userDisable},
		{Name: "enable", Args: "USER", About: "accept a user's logins again", Run: userEnable},
		{Name: "delete", Args: "USER", About: "delete a user", Run: userDelete},
		{Name: "unlock", Args: "USER", About: "clear failed attempts, enable locked factors again", Run: userUnlock},
		{Name: "reset-counters", Args: "USER", About: "accept codes again after the server's clock was ahead", Run: userResetCounters},
		{Name: "reset-factors", Args: "USER", About: "delete second factors and recovery codes", Run: userResetFactors},
		{Name: "free-username", Args: "NAME", About: "let anybody have a user name that its user gave up", Run: userFreeUsername},
		{Name: "set-password", Args: "USER", About: "set a user's password", Run: userSetPassword},
	}, args)
}

// userNames returns the names of a user, separated by commas.
func userNames(v admin.User) string {
	var out []string
	for _, n := range v.Names {
		out = append(out, cli.Printable(n.Value))
	}
	return strings.Join(out, ", ")
}

// userMethods returns the methods of a user's factors, with states other than active.
func userMethods(v admin.User) string {
	var out []string
	for _, f := range v.Factors {
		text := f.Method
		if f.State != storage.AuthenticatorActive {
			text += " (" + string(f.State) + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func userList(ctx context.Context, p *cli.Program, args []string) error {
	return list(ctx, p, args, listing{"user list", "users in the order of their ids", "/users", map[string]string{
		"search": "only users with this `text` in a user name, e-mail address or phone number",
		"after":  "begin after this `id`, the last one of the previous page",
	}}, func(d *connection, page admin.Users) error {
		return d.print(page.Users, func(w io.Writer) {
			fmt.Fprintln(w, "ID\tSTATUS\tNAMES\tPROOFS\tCREATED")
			for _, v := range page.Users {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.ID, v.Status, userNames(v), userMethods(v), cli.Time(v.CreatedAt))
			}
		})
	})
}

func userShow(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user show", "one user with factors and waits; no secret is shown", "USER [flags]")
	client := f.String("client", "", "USER is a subject that this `client` sees, pairwise or not")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	find := url.Values{"name": {f.Arg(0)}}
	if *client != "" {
		find = url.Values{"subject": {f.Arg(0)}, "client": {*client}}
	}
	v, err := d.find(ctx, f.Arg(0), find)
	if err != nil {
		return err
	}
	if err := d.Get(ctx, "/users/"+string(v.ID), nil, &v); err != nil {
		return withSubject(err, fmt.Sprintf("user %q", f.Arg(0)))
	}
	return d.print(v, func(w io.Writer) { writeUser(w, v) })
}

// writeUser writes a user for people.
func writeUser(w io.Writer, v admin.User) {
	line := func(key string, value any) { fmt.Fprintf(w, "%s\t%v\n", key, value) }
	line("id", v.ID)
	line("status", v.Status)
	for _, n := range v.Names {
		text := cli.Printable(n.Value)
		if !n.Verified {
			text += " (not verified)"
		}
		line(string(n.Kind), text)
	}
	for _, n := range v.Retired {
		line("retired username", cli.Printable(n.Value)+", kept until "+cli.Time(n.Until))
	}
	line("mfa_enabled", v.MFAEnabled)
	if len(v.Roles) > 0 {
		line("roles", cli.PrintableValue(v.Roles))
	}
	if v.Terms != nil {
		line("terms", termsText(*v.Terms))
	}
	for _, claim := range slices.Sorted(maps.Keys(v.Profile)) {
		line("profile."+cli.Printable(claim), cli.PrintableValue(v.Profile[claim]))
	}
	for _, f := range v.Factors {
		text := string(f.State)
		if f.Name != "" {
			text += ", named " + strconv.Quote(f.Name)
		}
		if f.Broken {
			text += ", its secret does not open"
		}
		text += ", since " + cli.Time(f.CreatedAt)
		if f.LastUsedAt != nil {
			text += ", last used " + cli.Time(*f.LastUsedAt)
		}
		if f.AheadUntil != nil {
			text += ", no code is accepted until " + cli.Time(*f.AheadUntil) + ", because a code for that time was accepted while the clock was ahead: user reset-counters corrects this"
		}
		line(f.Method, text)
	}
	if v.RecoveryCodes != nil {
		line("recovery codes", strconv.Itoa(*v.RecoveryCodes)+" unused")
	}
	if v.Sessions != nil {
		line("sessions", *v.Sessions)
	}
	for _, x := range v.Waits {
		if x.Until == nil {
			line("locked", x.Bucket+", until an operator unlocks it")
			continue
		}
		line("waits", x.Bucket+", until "+cli.Time(*x.Until))
	}
	line("created", cli.Time(v.CreatedAt))
	line("changed", cli.Time(v.UpdatedAt))
}

// termsText is which terms a user accepted, and when.
func termsText(t admin.Terms) string {
	text := cli.Printable(t.Version)
	if t.Client != "" {
		text += " of " + cli.Printable(string(t.Client))
	}
	if t.URL != "" {
		text += " (" + cli.Printable(t.URL) + ")"
	}
	return text + ", accepted " + cli.Time(t.AcceptedAt)
}
