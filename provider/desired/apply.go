package desired

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sallyport/config/strict"
	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/clients"
)

// Stopped is the error of a plan applied in part. Applying the state again does the rest.
type Stopped struct {
	Done, Of int
	What     string // the record that failed
	Err      error
	explain  func(error) (string, bool)
}

// Summary describes the progress, without the cause.
func (e *Stopped) Summary() string {
	return fmt.Sprintf("stopped after %d of %d changes; they stay, and another run does the rest: %s", e.Done, e.Of, e.What)
}

func (e *Stopped) Error() string {
	if e.explain != nil {
		if text, ok := e.explain(e.Err); ok {
			return e.Summary() + ": " + text
		}
	}
	return e.Summary() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Stopped) Unwrap() error { return e.Err }

// Faults is an error with every fault of a state.
type Faults = strict.Faults

// Plan reads a state and compares it with the records. It returns all faults together, as
// Faults; source names the text in them.
func (r Records) Plan(ctx context.Context, source string, text []byte, o Options) (Plan, error) {
	return r.plan(ctx, o, func(check Check) error {
		_, err := Parse(source, text, check)
		return err
	})
}

// PlanObject is Plan for a parsed JSON object.
func (r Records) PlanObject(ctx context.Context, members map[string]any, o Options) (Plan, error) {
	return r.plan(ctx, o, func(check Check) error {
		_, err := FromObject(members, check)
		return err
	})
}

func (r Records) plan(ctx context.Context, o Options, read func(Check) error) (Plan, error) {
	var p Plan
	var broken error
	err := read(func(s State, fault func(path, text string)) {
		p, broken = r.PlanState(ctx, s, o, fault)
	})
	if err == nil {
		err = broken
	}
	return p, err
}

// CarryOut applies a plan, one transaction per client, user or API key: clients first, because
// users sign in to them, deletions last. One that changes nothing says so only once that would survive
// a failover.
func (r Records) CarryOut(ctx context.Context, v mfa.Caller, p Plan) error {
	if p.Changes() == 0 {
		return r.Store.Settle(ctx)
	}
	done := 0
	stopped := func(kind, name string, err error) error {
		return &Stopped{Done: done, Of: p.Changes(), What: strings.ReplaceAll(kind, KindAPIKey, "API key") + " " + name, Err: err, explain: r.Explain}
	}
	for _, c := range p.clients {
		var err error
		if c.was == nil {
			err = r.Clients.Create(ctx, v, c.want)
		} else {
			err = r.Clients.Change(ctx, v, *c.was, c.want)
		}
		if err != nil {
			return stopped(KindClient, string(c.want.ID), err)
		}
		done++
	}
	for i := range p.users {
		if err := p.users[i].carryOut(ctx, r.Users, v); err != nil {
			return stopped(KindUser, p.users[i].name, err)
		}
		done++
	}
	for i := range p.keys {
		if err := p.keys[i].carryOut(ctx, r.APIKeys, v, p.by); err != nil {
			return stopped(KindAPIKey, p.keys[i].draft.Name, err)
		}
		done++
	}
	for _, id := range p.pruned {
		if err := r.Clients.Delete(ctx, v, id); err != nil && !errors.Is(err, clients.ErrNotFound) {
			return stopped(KindClient, string(id), err)
		}
		done++
	}
	for _, k := range p.prunedKeys {
		if err := pruneAPIKey(ctx, r.APIKeys, v, p.by, k.ID); err != nil {
			return stopped(KindAPIKey, k.Name, err)
		}
		done++
	}
	return nil
}

// carryOut creates or changes the user.
func (s *userStep) carryOut(ctx context.Context, users *users.Registry, v mfa.Caller) error {
	if s.amendment != nil {
		return users.Amend(ctx, v, *s.amendment)
	}
	user, err := users.Create(ctx, v, s.draft)
	s.id = user.ID
	return err
}
