package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/page"
)

// activityShown is how many events are shown.
const activityShown = 15

// line is the text of one event, or of all refused attempts that are alike.
type line struct {
	At      time.Time
	Text    string
	Alarm   bool // refused: an attacker may be trying
	Agent   mfa.Agent
	Address string
	Count   int  // of refused attempts
	More    bool // there are more than Count
}

// activity returns the texts of recent events. Events without a text are parts of one that
// has a text, or none of the user's concern.
func (p *Pages) activity(ctx context.Context, call ownerCall, v page.Page) (acts, refused []line, err error) {
	kinds := slices.DeleteFunc(mfa.EventKinds(), func(kind string) bool { return !v.Has("event."+kind) && !v.Has("event."+kind+".by") })
	a, err := p.accounts.Activity(ctx, call.owner, kinds, 2*activityShown)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range a.Events {
		l, ok, err := p.line(ctx, v, e)
		if err != nil {
			return nil, nil, err
		}
		if ok && len(acts) < activityShown {
			acts = append(acts, l)
		}
	}
	for _, r := range a.Refused {
		l, ok, err := p.line(ctx, v, r.Last)
		if err != nil {
			return nil, nil, err
		}
		l.Count, l.More = r.Count, r.More
		if ok {
			refused = append(refused, l)
		}
	}
	return acts, refused, nil
}

// line returns the text of an event; false: it has none.
func (p *Pages) line(ctx context.Context, v page.Page, e storage.Event) (line, bool, error) {
	key := "event." + e.Kind
	if e.Actor != "" && v.Has(key+".by") {
		key += ".by"
	}
	if !v.Has(key) {
		return line{}, false, nil
	}
	client, err := p.clientName(ctx, e.ClientID)
	if err != nil {
		return line{}, false, err
	}
	if client == "" {
		if client, err = v.T("account.client.unknown"); err != nil {
			return line{}, false, err
		}
	}
	method, err := v.Method(e.Detail["method"])
	if err != nil {
		return line{}, false, err
	}
	text, err := v.T(key, "Client", client, "Method", method)
	return line{At: e.At, Text: text, Alarm: e.Outcome != mfa.OutcomeOK, Agent: mfa.ReadAgent(e.UserAgent), Address: e.Address}, true, err
}

// clientName is the name of an application; its id if it has been deleted.
func (p *Pages) clientName(ctx context.Context, id storage.ClientID) (string, error) {
	c, err := p.provider.Shown(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return string(id), nil
	}
	if err != nil {
		return "", fmt.Errorf("read client: %w", err)
	}
	if c.Name != "" {
		return c.Name, nil
	}
	return string(id), nil
}
