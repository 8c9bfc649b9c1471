package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/input"
	"sallyport/storage"
	"sallyport/web/admin"
)

// invitationCommand invites people.
func invitationCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "invitation", "invitations; INVITATION is an id, or a name of the user", []cli.Command{
		{Name: "create", Args: "--email ADDRESS ...", About: "create a pending user and send them a link to accept the account", Run: invitationCreate},
		{Name: "list", Args: "", About: "invitations, newest first", Run: invitationList},
		{Name: "show", Args: "INVITATION", About: "one invitation; no link is shown", Run: invitationShow},
		{Name: "resend", Args: "INVITATION", About: "send another link", Run: invitationResend},
		{Name: "revoke", Args: "INVITATION", About: "end an invitation and its links", Run: invitationRevoke},
	}, args)
}

const linkUsage = "print the link, for you to hand over, and send no message"

func invitationCreate(ctx context.Context, p *cli.Program, args []string) error {
	body, profile := map[string]any{}, map[string]any{}
	f := p.Flags("invitation create", "create a pending user and send them a link to accept the account", "--email ADDRESS [flags]",
		"A pending user with the address gets another link, and stays as they are otherwise.")
	email := f.String("email", "", "e-mail `address` to invite")
	file := f.String("file", "", "`file` with addresses to invite, one a line; - is standard input")
	f.Func("role", "`role` for applications; several with commas", func(value string) error {
		all, _ := body["roles"].([]string)
		body["roles"] = append(all, strings.Split(value, ",")...)
		return nil
	})
	f.Func("client", "`client` whose application the user is led to", func(value string) error { body["client"] = value; return nil })
	f.Func("inviter", "`name` of who invites, for the message and the page", func(value string) error { body["inviter"] = value; return nil })
	claim := func(flag, claim, usage string) {
		f.Func(flag, usage, func(value string) error { profile[claim] = value; body["profile"] = profile; return nil })
	}
	claim("name", "name", "full `name` of the person")
	claim("given-name", "given_name", "given `name`")
	claim("family-name", "family_name", "family `name`")
	claim("language", "locale", "`language` of the message and the pages, such as de")
	link := f.Bool("print-link", false, linkUsage)
	d, err := connect(ctx, p, f, args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	if (*email == "") == (*file == "") {
		return cli.UsageError("invitation create: want either --email or --file")
	}
	if *link {
		body["link"] = true
	}
	if *file != "" {
		return d.inviteAll(ctx, *file, body)
	}
	done, err := d.invite(ctx, *email, body)
	if err != nil {
		return err
	}
	return d.printDone(done, "invitation of "+*email)
}

func (d *connection) invite(ctx context.Context, email string, body map[string]any) (admin.Done, error) {
	var done admin.Done
	body["email"] = email
	return done, withSubjectEach(d.Call(ctx, "POST", "/invitations", nil, body, &done), "invitation of "+cli.Printable(email))
}

// inviteAll invites the addresses of a file. One that is refused keeps no other from being invited.
func (d *connection) inviteAll(ctx context.Context, file string, body map[string]any) error {
	emails, err := readAddresses(d.p, file)
	if err != nil {
		return err
	}
	var refused []error
	all := []admin.Done{}
	for _, email := range emails {
		done, err := d.invite(ctx, email, body)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		all = append(all, done)
		if !d.json {
			if err := d.printDone(done, "invitation of "+email); err != nil {
				return err
			}
		}
	}
	if d.json {
		if err := d.print(all, nil); err != nil {
			return err
		}
	}
	return errors.Join(refused...)
}

// maxAddresses bounds a file of addresses.
const maxAddresses = 1 << 20

func readAddresses(p *cli.Program, file string) ([]string, error) {
	in := p.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read addresses: %w", err)
		}
		defer f.Close()
		in = f
	}
	if in == nil {
		in = strings.NewReader("")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxAddresses+1))
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	if len(text) > maxAddresses {
		return nil, fmt.Errorf("read addresses: more than %d bytes", maxAddresses)
	}
	var out []string
	for lines := bufio.NewScanner(strings.NewReader(string(input.WithoutMark(text)))); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

func invitationList(ctx context.Context, p *cli.Program, args []string) error {
	return list(ctx, p, args, listing{"invitation list", "invitations, newest first", "/invitations", map[string]string{
		"state":  "only in this `state`: pending, expired or accepted",
		"user":   "only of this `user`, an id or any name",
		"before": "only older than the invitation with this `id`, the last one of the previous page",
	}}, func(d *connection, page admin.Invitations) error {
		return d.print(page.Invitations, func(w io.Writer) {
			fmt.Fprintln(w, "ID\tCREATED\tSTATE\tEMAIL\tROLES\tINVITED BY\tSENT\tEXPIRES")
			for _, i := range page.Invitations {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", i.ID, cli.Time(i.CreatedAt), i.State, orDash(i.Email), orDash(strings.Join(i.Roles, ", ")),
					cli.Printable(i.InvitedBy), i.Sent, cli.Time(i.ExpiresAt))
			}
		})
	})
}

// orDash returns what stands in a column for a text that may be missing.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return cli.Printable(text)
}

// invitation finds an invitation by its id or a name of its user.
func (d *connection) invitation(ctx context.Context, which string) (admin.Invitation, error) {
	subject := fmt.Sprintf("invitation %q", which)
	if _, ok := storage.Bytes(storage.InvitationID(which)); ok {
		var i admin.Invitation
		err := d.Get(ctx, "/invitations/"+which, nil, &i)
		return i, withSubject(err, subject)
	}
	var page admin.Invitations
	if err := d.Get(ctx, "/invitations", url.Values{"user": {which}}, &page); err != nil {
		return admin.Invitation{}, withSubject(err, subject)
	}
	if len(page.Invitations) == 0 {
		return admin.Invitation{}, errors.New(subject + ": there is no such invitation")
	}
	return page.Invitations[0], nil
}

func invitationShow(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("invitation show", "one invitation; no link is shown", "INVITATION [flags]")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	i, err := d.invitation(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	return d.print(i, func(w io.Writer) {
		line := func(key string, value any) { fmt.Fprintf(w, "%s\t%v\n", key, value) }
		line("id", i.ID)
		line("state", i.State)
		line("user", i.User)
		line("email", orDash(i.Email))
		line("roles", orDash(strings.Join(i.Roles, ", ")))
		line("client", orDash(string(i.Client)))
		line("invited by", cli.Printable(i.InvitedBy))
		line("inviter", orDash(i.Inviter))
		line("links made", i.Sent)
		line("created", cli.Time(i.CreatedAt))
		line("newest link", cli.Time(i.SentAt))
		line("expires", cli.Time(i.ExpiresAt))
		line("accepted", cli.OptionalTime(i.AcceptedAt))
	})
}

func invitationRecord(ctx context.Context, d *connection, which string) (record, error) {
	i, err := d.invitation(ctx, which)
	label := fmt.Sprintf("invitation of %s (%s)", orDash(i.Email), i.ID)
	return record{"/invitations/" + string(i.ID), label, label}, err
}

func invitationResend(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("invitation resend", "send another link, for an invitation that is pending or expired", "INVITATION [flags]",
		"It is valid as long as the first was. Earlier links stay valid until they expire; one of them is used.")
	link := f.Bool("print-link", false, linkUsage)
	return change(ctx, p, f, args, call{find: invitationRecord, method: "POST", path: "/resend",
		more: func() (url.Values, any, error) { return nil, map[string]any{"link": *link}, nil }})
}

func invitationRevoke(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("invitation revoke", "end an invitation and its links", "INVITATION [flags]",
		"The user is removed too, if the invitation created them and nothing was added or changed since.")
	return change(ctx, p, f, args, call{find: invitationRecord, method: "DELETE", ask: p.Ask(f), asks: "revoke "})
}
