package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/storage"
)

const (
	eventsPage = 1000
	eventsMost = 1_000_000
)

// eventView is one line of the audit trail, as docs/events.md describes it.
type eventView struct {
	ID            storage.EventID   `json:"id"`
	At            time.Time         `json:"at"`
	Kind          string            `json:"kind"`
	Outcome       string            `json:"outcome"`
	Actor         string            `json:"actor,omitempty"`
	User          storage.UserID    `json:"user,omitempty"`
	Client        storage.ClientID  `json:"client,omitempty"`
	Session       storage.SessionID `json:"session,omitempty"`
	Grant         storage.GrantID   `json:"grant,omitempty"`
	Address       string            `json:"address,omitempty"`
	UserAgent     string            `json:"user_agent,omitempty"`
	CorrelationID string            `json:"correlation_id,omitempty"`
	Detail        map[string]string `json:"detail,omitempty"`
}

func newEventView(e storage.Event) eventView {
	return eventView{ID: e.ID, At: e.At, Kind: e.Kind, Outcome: e.Outcome, Actor: e.Actor, User: e.UserID, Client: e.ClientID,
		Session: e.SessionID, Grant: e.GrantID, Address: e.Address, UserAgent: e.UserAgent, CorrelationID: e.CorrelationID, Detail: e.Detail}
}

// eventsCommand asks the audit trail.
func eventsCommand(ctx context.Context, p *program, args []string) error {
	f := p.flags("events", "ask the audit trail, newest first", "[flags]",
		"docs/events.md lists the kinds. --json prints one line of JSON an event.\n"+
			"A server writes refusals once a second: the newest ones may be that late.")
	user := f.String("user", "", "only of this `user`: an id (of a deleted user too) or any name")
	client := f.String("client", "", "only of this `client`")
	kind := f.String("kind", "", "only of this `kind`, such as mfa.failed")
	since := f.String("since", "", "only since a `time`: 90m, 24h, 7d, 2026-11-20 or 2026-11-20T10:00:00Z")
	limit := f.Int("limit", 100, "how many at most")
	d, err := p.desk(ctx, f, args, 0)
	if err != nil {
		return err
	}
	defer d.close()
	filter := storage.EventFilter{ClientID: storage.ClientID(*client), Kind: *kind}
	if *limit < 1 || *limit > eventsMost {
		return usageError{fmt.Sprintf("events: --limit must be from 1 to %d", eventsMost)}
	}
	if filter.From, err = sinceTime(*since, d.now()); err != nil {
		return err
	}
	if filter.UserID, err = d.eventsOf(ctx, *user); err != nil {
		return err
	}
	return d.printEvents(ctx, filter, *limit)
}

// eventsOf is the user whose events are asked for. Events outlive their users, so that
// an id need not be anybody's.
func (d *desk) eventsOf(ctx context.Context, who string) (storage.UserID, error) {
	if _, ok := storage.Bytes(storage.UserID(who)); ok || who == "" {
		return storage.UserID(who), nil
	}
	a, err := d.account(ctx, who)
	return a.User.ID, err
}

// sinceTime reads a moment, or how long ago it was.
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
		return time.Time{}, usageError{"events: --since must be a time, such as 24h, 7d, 2026-11-20 or 2026-11-20T10:00:00Z"}
	}
	if isDays {
		ago *= 24
	}
	return now.Add(-ago), nil
}

// printEvents prints page after page, so that a long answer needs little memory.
func (d *desk) printEvents(ctx context.Context, f storage.EventFilter, limit int) error {
	t := tabwriter.NewWriter(d.p.out, 0, 0, 2, ' ', 0)
	lines := json.NewEncoder(d.p.out)
	lines.SetEscapeHTML(false)
	if !d.json {
		fmt.Fprintln(t, "AT\tKIND\tOUTCOME\tACTOR\tUSER\tCLIENT\tADDRESS\tDETAIL")
	}
	for limit > 0 {
		f.Limit = min(limit, eventsPage)
		page, err := d.store.ListEvents(ctx, f)
		if err != nil {
			return err
		}
		for _, e := range page {
			v := newEventView(e)
			if !d.json {
				v.row(t)
				continue
			}
			if err := lines.Encode(v); err != nil {
				return err
			}
		}
		if len(page) < f.Limit {
			break
		}
		limit, f.Before = limit-len(page), page[len(page)-1].ID
	}
	if d.json {
		return nil
	}
	return t.Flush()
}

func (v eventView) row(w io.Writer) {
	var detail []string
	for _, key := range slices.Sorted(maps.Keys(v.Detail)) {
		detail = append(detail, key+"="+v.Detail[key])
	}
	actor := v.Actor
	if actor == "" {
		actor = "-"
		if v.User != "" {
			actor = "user"
		}
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", stamp(v.At), v.Kind, v.Outcome, actor, v.User, shownText(string(v.Client)),
		v.Address, shownText(strings.Join(detail, " ")))
}
