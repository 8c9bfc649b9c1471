package selfservice

import (
	"context"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// refusedShown is how far back refused tries are told of, and refusedMost how many of
// them are looked at.
const (
	refusedShown = 30 * 24 * time.Hour
	refusedMost  = 1000
)

// Activity is what was written down about an owner.
type Activity struct {
	Acts    []storage.Event // what happened, newest first
	Refused []Refused       // tries that came to nothing, of the last 30 days
}

// Refused are tries that are alike: their last one, and how many there were.
type Refused struct {
	Last  storage.Event
	Count int
	More  bool // Count is where the counting ended
}

// Activity returns the newest lines about an owner of these kinds. Tries that were
// refused are apart from all else, and alike ones are one: anybody who knows a name can
// cause any number of them, and must not push out of sight what happened.
func (a *Accounts) Activity(ctx context.Context, o mfa.Owner, kinds []string, limit int) (Activity, error) {
	var acts, tries []string
	for _, kind := range kinds {
		if byAnybody(kind) {
			tries = append(tries, kind)
		} else {
			acts = append(acts, kind)
		}
	}
	var out Activity
	var err error
	list := func(f storage.EventFilter) (events []storage.Event) {
		if f.UserID = o.Account.User.ID; err == nil && len(f.Kinds) > 0 {
			events, err = a.journal.List(ctx, f)
		}
		return events
	}
	out.Acts = list(storage.EventFilter{Kinds: acts, Limit: limit})
	refused := list(storage.EventFilter{Kinds: tries, From: a.now().Add(-refusedShown), Limit: refusedMost})
	for _, e := range refused {
		i := slices.IndexFunc(out.Refused, func(r Refused) bool {
			return r.Last.Kind == e.Kind && r.Last.Detail["method"] == e.Detail["method"]
		})
		if i < 0 {
			i = len(out.Refused)
			out.Refused = append(out.Refused, Refused{Last: e, More: len(refused) == refusedMost})
		}
		out.Refused[i].Count++
	}
	return out, err
}

// byAnybody reports whether lines of a kind are written about a user whenever anybody
// tries something who knows the user's name.
func byAnybody(kind string) bool {
	switch kind {
	case mfa.EventPasswordFailed, mfa.EventPasswordLocked, mfa.EventMFAInitiated, mfa.EventMFAFailed, mfa.EventMFAReplayed, mfa.EventMFALocked:
		return true
	}
	return false
}
