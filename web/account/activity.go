package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/web/page"
)

// How many events are read, and how many of those that mean something are shown.
const (
	activityRead  = 200
	activityShown = 15
)

// line is one thing that happened, in words.
type line struct {
	At      time.Time
	Text    string
	Alarm   bool // refused: somebody may be trying
	Agent   agent
	Address string
}

// activity puts what happened into words. Events without a text are steps of something
// that has one, or nobody's business.
func (p *Pages) activity(ctx context.Context, t turn, v page.Page) ([]line, error) {
	events, err := p.verifier.Activity(ctx, t.owner, activityRead)
	if err != nil {
		return nil, err
	}
	var out []line
	for _, e := range events {
		key := "event." + e.Kind
		if e.Actor != "" && v.Has(key+".by") {
			key += ".by"
		}
		if !v.Has(key) || len(out) == activityShown {
			continue
		}
		client, err := p.clientName(ctx, e.ClientID)
		if err != nil {
			return nil, err
		}
		method := v.Either("method."+e.Detail["method"]+".short", "method.other.short")
		if method, err = v.T(method, "Method", e.Detail["method"]); err != nil {
			return nil, err
		}
		text, err := v.T(key, "Client", client, "Method", method)
		if err != nil {
			return nil, err
		}
		out = append(out, line{At: e.At, Text: text, Alarm: e.Outcome != mfa.OutcomeOK, Agent: agentOf(e.UserAgent), Address: e.Address})
	}
	return out, nil
}

// clientName is the name of an application; its id where it is gone.
func (p *Pages) clientName(ctx context.Context, id storage.ClientID) (string, error) {
	c, err := p.provider.Client(ctx, id)
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

// agent is a browser and its system, as far as they tell.
type agent struct{ Browser, System string }

// agentOf reads a User-Agent header for a person who wants to know whether it was
// them. It decides nothing: anybody can send any header.
func agentOf(header string) agent {
	return agent{
		Browser: first(header, "Edg", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "FxiOS", "Firefox", "SamsungBrowser", "Samsung Internet",
			"CriOS", "Chrome", "Chrome/", "Chrome", "Safari/", "Safari"),
		System: first(header, "iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS X", "macOS",
			"CrOS", "ChromeOS", "Linux", "Linux"),
	}
}

// first returns the name of the first mark that a text holds; marks and names take turns.
func first(text string, marks ...string) string {
	for i := 0; i < len(marks); i += 2 {
		if strings.Contains(text, marks[i]) {
			return marks[i+1]
		}
	}
	return ""
}
