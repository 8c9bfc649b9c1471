package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/web/admin"
)

// desired makes a desired state, for the admin API.
func (h *house) desired(ctx context.Context, v mfa.Visit, s admin.State) (admin.Outcome, error) {
	p, err := h.planText(ctx, "", s.Text, applying{prune: s.Prune, credentials: s.Credentials, single: s.Single, by: s.By})
	var found config.Faults
	if errors.As(err, &found) {
		var faults admin.Faults
		for _, f := range found {
			faults = append(faults, admin.Fault{Line: f.Line, Field: f.Path, Detail: f.Text})
		}
		return admin.Outcome{}, faults
	}
	if err == nil && !s.DryRun {
		err = h.carryOut(ctx, v, p)
	}
	out := p.outcome()
	out.DryRun = s.DryRun
	return out, err
}

// planText reads a desired state and compares it with the database. All faults are told
// together, whoever finds them; source names the text in them.
func (h *house) planText(ctx context.Context, source string, text []byte, o applying) (plan, error) {
	var pl plan
	var broken error
	_, err := config.ParseState(source, text, func(s config.State, fault func(path, text string)) {
		pl, broken = h.planState(ctx, s, o, fault)
	})
	if err == nil {
		err = broken
	}
	return pl, err
}

// carryOut does what a plan says, one client, user or API key a transaction: clients first,
// because users sign in at them, deletions last. Doing it again after an interruption
// does the rest.
func (h *house) carryOut(ctx context.Context, v mfa.Visit, p plan) error {
	done := 0
	stopped := func(kind, name string, err error) error {
		return &admin.Stopped{Done: done, Of: p.changes(), What: called(kind, name), Err: err}
	}
	for _, c := range p.clients {
		var err error
		if c.was == nil {
			err = h.clients.Create(ctx, v, c.want)
		} else {
			err = h.clients.Change(ctx, v, *c.was, c.want)
		}
		if err != nil {
			return stopped(admin.KindClient, string(c.want.ID), err)
		}
		done++
	}
	for i := range p.users {
		if err := p.users[i].carryOut(ctx, h.users, v); err != nil {
			return stopped(admin.KindUser, p.users[i].name, err)
		}
		done++
	}
	for i := range p.keys {
		if err := p.keys[i].carryOut(ctx, h.apiKeys, v, p.by); err != nil {
			return stopped(admin.KindAPIKey, p.keys[i].draft.Name, err)
		}
		done++
	}
	for _, id := range p.pruned {
		if err := h.clients.Delete(ctx, v, id); err != nil && !errors.Is(err, provider.ErrNoClient) {
			return stopped(admin.KindClient, string(id), err)
		}
		done++
	}
	for _, k := range p.prunedKeys {
		if err := pruneAPIKey(ctx, h.apiKeys, v, p.by, k.ID); err != nil {
			return stopped(admin.KindAPIKey, k.Name, err)
		}
		done++
	}
	return nil
}

// carryOut makes or changes the user.
func (s *userStep) carryOut(ctx context.Context, users *mfa.Users, v mfa.Visit) error {
	if s.amendment != nil {
		return users.Amend(ctx, v, *s.amendment)
	}
	user, err := users.Create(ctx, v, s.draft)
	s.id = user.ID
	return err
}

// loadPlan is planText for a file.
func (h *house) loadPlan(ctx context.Context, file string, o applying) (plan, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return plan{}, fmt.Errorf("read desired state: %w", err)
	}
	o.by = provider.Operator() // who reads files here could read the key
	p, err := h.planText(ctx, file, text, o)
	var faults config.Faults
	if errors.As(err, &faults) {
		err = stateFaults(faults)
	}
	return p, err
}

// stateFaults are the faults of a desired-state file, a line each.
func stateFaults(f config.Faults) error { return fmt.Errorf("the desired state has faults:\n%w", f) }

// apply brings the database to a state made in code, silently.
func (h *house) apply(ctx context.Context, s config.State) (plan, error) {
	var faults []error
	p, err := h.planState(ctx, s, applying{by: provider.Operator()}, func(path, text string) { faults = append(faults, fmt.Errorf("%s: %s", path, text)) })
	if err = errors.Join(append(faults, err)...); err != nil {
		return p, err
	}
	return p, h.carryOut(ctx, mfa.Visit{Actor: mfa.ActorAdmin, UserAgent: "sallyport dev"}, p)
}
