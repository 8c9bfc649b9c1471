package selfservice

import (
	"context"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// refusedWindow is how far back refused attempts are listed, and maxRefused how many are read.
const (
	refusedWindow = 30 * 24 * time.Hour
	maxRefused    = 1000
)

// Activity is the audit trail of an owner.
type Activity struct {
	Events  []storage.Event // newest first, without attempts
	Refused []Refused       // attempts of the last 30 days; a request of a client may have been allowed
}

// Refused summarizes attempts of one kind and method, and requests of one client.
type Refused struct {
	Last  storage.Event
	Count int
	More  bool // there are more than Count
}

// Activity returns up to limit events of these kinds about an owner. It lists refused
// attempts separately and summarizes them: anyone who knows a name can cause any number of
// them, which must not displace other events.
func (a *Accounts) Activity(ctx context.Context, o mfa.Owner, kinds []string, limit int) (Activity, error) {
	var events, attempts []string
	for _, kind := range kinds {
		if isAttempt(kind) {
			attempts = append(attempts, kind)
		} else {
			events = append(events, kind)
		}
	}
	var out Activity
	var err error
	list := func(f storage.EventFilter) (found []storage.Event) {
		if f.UserID = o.Account.User.ID; err == nil && len(f.Kinds) > 0 {
			found, err = a.journal.List(ctx, f)
		}
		return found
	}
	out.Events = list(storage.EventFilter{Kinds: events, Limit: limit})
	refused := list(storage.EventFilter{Kinds: attempts, From: a.now().Add(-refusedWindow), Limit: maxRefused})
	for _, e := range refused {
		i := slices.IndexFunc(out.Refused, func(r Refused) bool {
			return r.Last.Kind == e.Kind && r.Last.Detail["method"] == e.Detail["method"] &&
				(e.Kind != mfa.EventBackchannelRequested || r.Last.ClientID == e.ClientID)
		})
		if i < 0 {
			i = len(out.Refused)
			out.Refused = append(out.Refused, Refused{Last: e, More: len(refused) == maxRefused})
		}
		out.Refused[i].Count++
	}
	return out, err
}

// isAttempt reports whether a caller who only knows a user's name can cause events of a kind.
func isAttempt(kind string) bool {
	switch kind {
	case mfa.EventPasswordFailed, mfa.EventPasswordLocked, mfa.EventMFAInitiated, mfa.EventMFAFailed, mfa.EventMFAReplayed, mfa.EventMFALocked,
		mfa.EventBackchannelRequested:
		return true
	}
	return false
}
