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

	"sallyport/storage"
	"sallyport/web/admin"
)

// userCommand is an operator's work on users.
func userCommand(ctx context.Context, p *program, args []string) error {
	return p.group(ctx, "user", "the users; USER is an id or any name", []command{
		{name: "list", args: "", about: "users in the order of their ids", run: userList},
		{name: "show", args: "USER", about: "one user, with what proves them", run: userShow},
		{name: "create", args: "--username NAME ...", about: "make a user", run: userCreate},
		{name: "disable", args: "USER", about: "keep a user out and end everything they have", run: userDisable},
		{name: "enable", args: "USER", about: "let a user in again", run: userEnable},
		{name: "delete", args: "USER", about: "remove a user for good", run: userDelete},
		{name: "unlock", args: "USER", about: "forget failures, switch locked factors on again", run: userUnlock},
		{name: "reset-factors", args: "USER", about: "take second factors and recovery codes away", run: userResetFactors},
		{name: "set-password", args: "USER", about: "give a user another password", run: userSetPassword},
	}, args)
}

// userNames are the names of a user, one behind the other.
func userNames(v admin.User) string {
	var out []string
	for _, n := range v.Names {
		out = append(out, shownText(n.Value))
	}
	return strings.Join(out, ", ")
}

// userMethods are what proves a user.
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

func userList(ctx context.Context, p *program, args []string) error {
	f := p.flags("user list", "users in the order of their ids", "[flags]")
	limit := f.Int("limit", 100, "how many at most, up to 1000")
	after := f.String("after", "", "begin after this `id`: the last one of the page before")
	d, err := newDesk(ctx, p, f, args, 0)
	if err != nil {
		return err
	}
	defer d.close()
	if *limit < 1 || *limit > 1000 {
		return usageError("user list: --limit must be from 1 to 1000")
	}
	query := url.Values{"limit": {strconv.Itoa(*limit)}}
	if *after != "" {
		query.Set("after", *after)
	}
	var page admin.Users
	if err := d.get(ctx, "/users", query, &page); err != nil {
		return err
	}
	return d.answer(page.Users, func(w io.Writer) {
		fmt.Fprintln(w, "ID\tSTATUS\tNAMES\tPROOFS\tCREATED")
		for _, v := range page.Users {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.ID, v.Status, userNames(v), userMethods(v), stamp(v.CreatedAt))
		}
	})
}

func userShow(ctx context.Context, p *program, args []string) error {
	f := p.flags("user show", "one user, with what proves them and what waits; nothing secret is shown", "USER [flags]")
	d, err := newDesk(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	v, err := d.user(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	if err := d.get(ctx, "/users/"+string(v.ID), nil, &v); err != nil {
		return about(err, fmt.Sprintf("user %q", f.Arg(0)))
	}
	return d.answer(v, func(w io.Writer) { writeUser(w, v) })
}

// writeUser shows a user to a person.
func writeUser(w io.Writer, v admin.User) {
	line := func(key string, value any) { fmt.Fprintf(w, "%s\t%v\n", key, value) }
	line("id", v.ID)
	line("status", v.Status)
	for _, n := range v.Names {
		text := shownText(n.Value)
		if !n.Verified {
			text += " (not verified)"
		}
		line(string(n.Kind), text)
	}
	line("mfa_enabled", v.MFAEnabled)
	if len(v.Roles) > 0 {
		line("roles", shownValue(v.Roles))
	}
	for _, claim := range slices.Sorted(maps.Keys(v.Profile)) {
		line("profile."+shownText(claim), shownValue(v.Profile[claim]))
	}
	for _, f := range v.Factors {
		text := string(f.State)
		if f.Name != "" {
			text += ", called " + strconv.Quote(f.Name)
		}
		if f.Broken {
			text += ", its secret does not open"
		}
		text += ", since " + stamp(f.CreatedAt)
		if f.LastUsedAt != nil {
			text += ", last used " + stamp(*f.LastUsedAt)
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
			line("locked", x.Bucket+", until somebody unlocks it")
			continue
		}
		line("waits", x.Bucket+", until "+stamp(*x.Until))
	}
	line("created", stamp(v.CreatedAt))
	line("changed", stamp(v.UpdatedAt))
}
