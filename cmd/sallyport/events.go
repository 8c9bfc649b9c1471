package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/storage"
	"sallyport/web/admin"
)

const (
	eventsPage = 1000
	eventsMost = 1_000_000
)

// eventsCommand searches the audit trail.
func eventsCommand(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("events", "search the audit trail, newest first", "[flags]",
		"docs/events.md lists the kinds. --json prints a line of JSON for each event.\n"+
			"A server writes refusals once a second, so that the newest may be missing.")
	user := f.String("user", "", "only of this `user`: an id (also of a deleted user) or any name")
	client := f.String("client", "", "only of this `client`")
	kind := f.String("kind", "", "only of this `kind`, such as mfa.failed")
	support := f.String("support", "", "only of the response with this support `number`")
	since := f.String("since", "", "only since this `time`: 90m, 24h, 7d, 2026-11-20 or 2026-11-20T10:00:00Z")
	limit := f.Int("limit", 100, "print at most this many")
	d, err := connect(ctx, p, f, args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	query := url.Values{}
	if *limit < 1 || *limit > eventsMost {
		return cli.UsageError(fmt.Sprintf("events: --limit must be from 1 to %d", eventsMost))
	}
	from, err := sinceTime(*since, p.Now())
	if err != nil {
		return err
	}
	if !from.IsZero() {
		query.Set("since", from.Format(time.RFC3339Nano))
	}
	id, err := d.eventsOf(ctx, *user)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"user": string(id), "client": *client, "kind": *kind, "support": *support} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return d.printEvents(ctx, query, *limit)
}

// eventsOf returns the id of the user whose events are wanted. Events outlive their users, so
// that an id need not exist.
func (d *connection) eventsOf(ctx context.Context, who string) (storage.UserID, error) {
	if _, ok := storage.Bytes(storage.UserID(who)); ok || who == "" {
		return storage.UserID(who), nil
	}
	u, err := d.user(ctx, who)
	return u.ID, err
}

// sinceTime parses a time, or how long ago it was.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	days, isDays := strings.CutSuffix(text, "d")
	if isDays {
		text = days + "h"
	}
	ago, err := time.ParseDuration(text)
	if err != nil || ago < 0 {
		return time.Time{}, cli.UsageError("events: --since must be a time, such as 24h, 7d, 2026-11-20 or 2026-11-20T10:00:00Z")
	}
	if isDays {
		ago *= 24
	}
	return now.Add(-ago), nil
}

// printEvents prints page by page, so that a long trail needs little memory.
func (d *connection) printEvents(ctx context.Context, query url.Values, limit int) error {
	t := tabwriter.NewWriter(d.p.Out, 0, 0, 2, ' ', 0)
	lines := json.NewEncoder(d.p.Out)
	lines.SetEscapeHTML(false)
	l := labels{d: d, known: map[string]string{"": ""}}
	if !d.json {
		fmt.Fprintln(t, "AT\tKIND\tOUTCOME\tACTOR\tUSER\tCLIENT\tADDRESS\tDETAIL")
	}
	for limit > 0 {
		query.Set("limit", strconv.Itoa(min(limit, eventsPage)))
		var page admin.Events
		if err := d.Get(ctx, "/events", query, &page); err != nil {
			return err
		}
		for _, e := range page.Events {
			if !d.json {
				writeEvent(t, e, l.user(ctx, e.User), l.actor(ctx, e.Actor))
				continue
			}
			if err := lines.Encode(e); err != nil {
				return err
			}
		}
		if page.Next == "" {
			break
		}
		limit -= len(page.Events)
		query.Set("before", string(page.Next))
	}
	if d.json {
		return nil
	}
	return t.Flush()
}

// writeEvent writes a row of the table, with the labels of its user and of who acted.
func writeEvent(w io.Writer, v admin.Event, user, actor string) {
	var detail []string
	for _, key := range slices.Sorted(maps.Keys(v.Detail)) {
		detail = append(detail, key+"="+v.Detail[key])
	}
	if actor == "" {
		actor = "-"
		if v.User != "" {
			actor = "user"
		}
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cli.Time(v.At), v.Kind, v.Outcome, actor, user, cli.Printable(string(v.Client)),
		v.Address, cli.Printable(strings.Join(detail, " ")))
}
