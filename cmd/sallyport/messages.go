package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/web/admin"
)

// messagesCommand shows and changes what the server sends.
func messagesCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "messages", "the mails, text messages and logout tokens that the server sends; MESSAGE is an id", []cli.Command{
		{Name: "list", Args: "", About: "messages, newest first", Run: messagesList},
		{Name: "show", Args: "MESSAGE", About: "one message; no code is shown", Run: messagesShow},
		{Name: "resend", Args: "MESSAGE", About: "send a message now that waits or was given up", Run: messagesResend},
		{Name: "drop", Args: "MESSAGE", About: "give a message up and erase its content", Run: messagesDrop},
	}, args)
}

func messagesList(ctx context.Context, p *cli.Program, args []string) error {
	return list(ctx, p, args, listing{"messages list", "messages, newest first", "/messages", map[string]string{
		"state":     "only in this `state`: waiting, retrying, delivered or dead",
		"kind":      "only of this `kind`: mail, sms, backchannel_logout or backchannel_ping",
		"recipient": "only to this `address`, phone number or client_id",
		"before":    "only older than the message with this `id`, the last one of the previous page",
	}}, func(d *connection, page admin.Messages) error {
		return d.print(page.Messages, func(w io.Writer) {
			fmt.Fprintln(w, "ID\tCREATED\tSTATE\tKIND\tTEMPLATE\tRECIPIENT\tATTEMPTS\tLAST ERROR")
			for _, m := range page.Messages {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", m.ID, cli.Time(m.CreatedAt), messageState(m), cli.Printable(m.Kind), cli.Printable(m.Template),
					cli.Printable(m.Recipient), m.Attempts, cli.Printable(cmp.Or(m.LastError, "-")))
			}
		})
	})
}

// messageState returns the state of a message for people.
func messageState(m admin.Message) string {
	if m.Sending {
		return "being sent"
	}
	return string(m.State)
}

func messagesShow(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("messages show", "one message; the names of its values are shown, and no value", "MESSAGE [flags]")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	var m admin.Message
	if err := d.Get(ctx, "/messages/"+url.PathEscape(f.Arg(0)), nil, &m); err != nil {
		return withSubject(err, fmt.Sprintf("message %q", f.Arg(0)))
	}
	return d.print(m, func(w io.Writer) {
		line := func(key string, value any) { fmt.Fprintf(w, "%s\t%v\n", key, value) }
		line("id", m.ID)
		line("kind", cli.Printable(m.Kind))
		line("state", messageState(m))
		line("recipient", cli.Printable(m.Recipient))
		line("template", cli.Printable(m.Template))
		line("language", cli.Printable(cmp.Or(m.Locale, "-")))
		line("values", messageValues(m))
		line("attempts", m.Attempts)
		line("last error", cli.Printable(cmp.Or(m.LastError, "-")))
		line("created", cli.Time(m.CreatedAt))
		line("next attempt", cli.OptionalTime(m.NextAt))
		line("expires", cli.OptionalTime(m.ExpiresAt))
		line("delivered", cli.OptionalTime(m.DeliveredAt))
		line("given up", cli.OptionalTime(m.DeadAt))
	})
}

// messageValues returns the names of the values of a message, or why there are none.
func messageValues(m admin.Message) string {
	switch {
	case m.Erased:
		return "erased"
	case m.Broken:
		return "cannot be decrypted"
	}
	return cli.Printable(cmp.Or(strings.Join(m.Values, ", "), "none"))
}

func messageRecord(ctx context.Context, d *connection, which string) (record, error) {
	r, m := record{path: "/messages/" + url.PathEscape(which), subject: fmt.Sprintf("message %q", which)}, admin.Message{}
	err := d.Get(ctx, r.path, nil, &m)
	r.label = fmt.Sprintf("message %s (%s to %s)", m.ID, cli.Printable(m.Template), cli.Printable(m.Recipient))
	return r, withSubject(err, r.subject)
}

func messagesResend(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("messages resend", "send a message now that waits or was given up", "MESSAGE [flags]",
		"A server sends it within seconds, under the same id. A delivered message is never sent again, nor a code that has expired.")
	return change(ctx, p, f, args, call{find: messageRecord, method: "POST", path: "/resend"})
}

func messagesDrop(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("messages drop", "give a message up and erase its content", "MESSAGE [flags]", "It can no longer be sent.")
	return change(ctx, p, f, args, call{find: messageRecord, method: "POST", path: "/drop", ask: p.Ask(f), asks: "erase the content of "})
}
