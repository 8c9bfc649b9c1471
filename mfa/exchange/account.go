package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Held is an authenticator as its owner sees it, without its secret.
type Held struct {
	ID         storage.AuthenticatorID
	Name       string
	Info       mfa.Info
	Shape      mfa.Shape
	Left       int64 // uses left, where they are numbered (recovery codes)
	Disabled   bool  // after too many failures
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
}

// Held lists what an account's owner proves themselves with, in the order it was set up.
func (v *Verifier) Held(a storage.Account) []Held {
	var out []Held
	for _, x := range a.Authenticators {
		i, ok := v.Info(x.Method)
		if !ok || x.State == storage.AuthenticatorPending {
			continue
		}
		h := Held{ID: x.ID, Name: x.Name, Info: i, Left: mfa.UsesLeft(x), Disabled: x.State == storage.AuthenticatorDisabled,
			CreatedAt: x.CreatedAt, LastUsedAt: x.LastUsedAt}
		// A method that has no shapes leaves nothing in these fields.
		if _, ok := v.methods[x.Method].(mfa.Shaper); ok && json.Unmarshal(x.Data, &h.Shape) != nil {
			h.Shape = mfa.Shape{}
		}
		out = append(out, h)
	}
	return out
}

// Strong reports whether an owner's proofs are worth as much as their account can prove,
// factors that were switched off included: what opens the account must not be weaker
// than what protects everything it opens.
func (v *Verifier) Strong(o mfa.Owner) bool {
	var all, given []storage.Factor
	for _, i := range (mfa.Table{Methods: v.infos}).Enrolled(&o.Account, true) {
		all = append(all, mfa.ProofOf(i))
	}
	for _, f := range o.Factors {
		if i, ok := v.Info(f.Method); ok && mfa.StillHolds(&o.Account, i, f) {
			given = append(given, f)
		}
	}
	best, _ := mfa.Assess(all)
	level, _ := mfa.Assess(given)
	return mfa.Rank(level) >= mfa.Rank(best)
}

// Fresh says whether an owner may change factors now: who holds a second factor must
// have proven one of those within the last five minutes, anybody else must have signed
// in within Options.Reauth (M-9). A password alone is what thieves have: it must
// never be enough to add a factor where there is one.
func (v *Verifier) Fresh(o mfa.Owner) error { return v.freshFor(o, 0) }

// freshFor is Fresh with patience for what was begun in time.
func (v *Verifier) freshFor(o mfa.Owner, patience time.Duration) error {
	if o.Account.User.ID == "" || !o.Account.User.In() {
		return &mfa.Error{Code: mfa.NotSignedIn}
	}
	limit, held := v.now().Add(-v.o.Reauth-patience), mfa.HasSecond(&o.Account, v.infos)
	if held {
		limit = v.now().Add(-againAfter - patience)
	}
	known, young := false, false
	for _, f := range o.Factors {
		i, ok := v.Info(f.Method)
		if !ok || !stillHeld(o.Account, i, f) {
			continue
		}
		known = known || i.First
		young = young || (i.Second || !held) && !f.At.Before(limit)
	}
	if known && young {
		return nil
	}
	return &mfa.Error{Code: mfa.ReauthenticationRequired}
}

// stillHeld reports whether a factor was proven with something the account still has.
// What was taken away, changed or switched off meanwhile proves nothing any more.
func stillHeld(a storage.Account, i mfa.Info, f storage.Factor) bool {
	return slices.ContainsFunc(a.Authenticators, func(x storage.Authenticator) bool {
		return x.State == storage.AuthenticatorActive && mfa.GivenBy(x, i, f)
	})
}

// own finds one of the owner's authenticators. Somebody else's is refused like one
// that does not exist.
func (v *Verifier) own(o mfa.Owner, id storage.AuthenticatorID) (*storage.Authenticator, mfa.Info, error) {
	a := o.Account.Authenticator(id)
	if a == nil || a.State == storage.AuthenticatorPending {
		return nil, mfa.Info{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	i, ok := v.Info(a.Method)
	if !ok || !i.Enrolls {
		return nil, mfa.Info{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	return a, i, nil
}

// Rename changes what the owner calls an authenticator. It proves nothing and changes
// no proof, so any living session may do it.
func (v *Verifier) Rename(ctx context.Context, visit mfa.Caller, o mfa.Owner, id storage.AuthenticatorID, name string) error {
	a, _, err := v.own(o, id)
	if err != nil {
		return err
	}
	name, err = cleanName(name)
	if err != nil {
		return err
	}
	event := v.event(visit, v.aboutOwner(o, a.Method, a.ID), mfa.EventFactorRenamed, mfa.OutcomeOK, "")
	err = v.store.RenameAuthenticator(ctx, a.UserID, a.ID, name, v.now(), []storage.Event{event})
	if errors.Is(err, storage.ErrNotFound) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if err != nil {
		return fmt.Errorf("rename authenticator: %w", err)
	}
	return nil
}

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
func (v *Verifier) Activity(ctx context.Context, o mfa.Owner, kinds []string, limit int) (Activity, error) {
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
			events, err = v.journal.List(ctx, f)
		}
		return events
	}
	out.Acts = list(storage.EventFilter{Kinds: acts, Limit: limit})
	refused := list(storage.EventFilter{Kinds: tries, From: v.now().Add(-refusedShown), Limit: refusedMost})
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

// aboutOwner begins an event about an authenticator of an owner.
func (v *Verifier) aboutOwner(o mfa.Owner, method string, id storage.AuthenticatorID) storage.Event {
	return storage.Event{UserID: o.Account.User.ID, ClientID: o.Client, SessionID: o.Session,
		Detail: map[string]string{"method": method, "authenticator": string(id)}}
}
