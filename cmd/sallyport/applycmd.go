package main

import (
	"context"
	"errors"
	"fmt"

	"sallyport/config"
	"sallyport/mfa"
	"sallyport/provider"
)

// applyState plays the command apply: find out, show, do.
func applyState(ctx context.Context, p *program, args []string) error {
	f := p.flags("apply", "make the clients, users and API keys of a desired-state file", "STATE [flags]",
		"Prints every difference, and then makes it. A file with a fault is refused whole.\n"+
			"Of users who exist, names, verified flags, profile, status and mfa_enabled are changed\n"+
			"where the file names them; passwords and factors are theirs. docs/desired-state.md.")
	dry := f.Bool("dry-run", false, "print the differences and stop")
	var o applying
	f.BoolVar(&o.prune, "prune", false, "delete clients and API keys that are not in the file")
	f.BoolVar(&o.credentials, "replace-credentials", false, "replace passwords, authenticators and recovery codes of users who exist")
	c, err := p.settings(f, args, 1)
	if err != nil {
		return err
	}
	h, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	defer h.close()
	pl, err := h.loadPlan(ctx, f.Arg(0), o)
	if err != nil {
		return err
	}
	pl.write(p.out)
	switch {
	case pl.changes() == 0:
		fmt.Fprintln(p.out, "Nothing to do.")
		return nil
	case *dry:
		fmt.Fprint(p.out, "Nothing was changed. To do: ")
		pl.summary(p.out)
		return nil
	}
	v := mfa.Visit{Actor: mfa.ActorAdmin, UserAgent: "sallyport apply"}
	if err := h.carryOut(ctx, v, pl); err != nil {
		return fmt.Errorf("apply %s: %w", f.Arg(0), err)
	}
	pl.summary(p.out)
	return nil
}

// loadPlan reads a desired-state file and compares it with the database. All faults
// are told together, whoever finds them.
func (h *house) loadPlan(ctx context.Context, file string, o applying) (plan, error) {
	var pl plan
	var broken error
	_, err := config.LoadState(file, func(s config.State, fault func(path, text string)) {
		pl, broken = h.planState(ctx, s, o, fault)
	})
	if err != nil {
		var faults config.Faults
		if !errors.As(err, &faults) {
			return plan{}, err
		}
		return plan{}, fmt.Errorf("the desired state has faults:\n%w", err)
	}
	return pl, broken
}

// carryOut does what a plan says, one client, user or API key a transaction: clients first,
// because users sign in at them, deletions last. Doing it again after an interruption
// does the rest.
func (h *house) carryOut(ctx context.Context, v mfa.Visit, p plan) error {
	done := 0
	stopped := func(what string, err error) error {
		return fmt.Errorf("stopped after %d of %d changes; they stay, and another run does the rest: %w", done, p.changes(), refusal(err, what))
	}
	for _, c := range p.clients {
		var err error
		if c.was == nil {
			err = h.clients.Create(ctx, v, c.want)
		} else {
			err = h.clients.Change(ctx, v, *c.was, c.want)
		}
		if err != nil {
			return stopped("client "+string(c.want.ID), err)
		}
		done++
	}
	for _, u := range p.users {
		var err error
		if u.amendment == nil {
			_, err = h.users.Create(ctx, v, u.draft)
		} else {
			err = h.users.Amend(ctx, v, *u.amendment)
		}
		if err != nil {
			return stopped("user "+u.name, err)
		}
		done++
	}
	for _, k := range p.keys {
		if err := k.carryOut(ctx, h.apiKeys, v); err != nil {
			return stopped("API key "+k.draft.Name, err)
		}
		done++
	}
	for _, id := range p.pruned {
		if err := h.clients.Delete(ctx, v, id); err != nil && !errors.Is(err, provider.ErrNoClient) {
			return stopped("client "+string(id), err)
		}
		done++
	}
	for _, k := range p.prunedKeys {
		if err := pruneAPIKey(ctx, h.apiKeys, v, k.ID); err != nil {
			return stopped("API key "+k.Name, err)
		}
		done++
	}
	return nil
}

// apply brings the database to a state made in code, silently.
func (h *house) apply(ctx context.Context, s config.State) (plan, error) {
	var faults []error
	p, err := h.planState(ctx, s, applying{}, func(path, text string) { faults = append(faults, fmt.Errorf("%s: %s", path, text)) })
	if err = errors.Join(append(faults, err)...); err != nil {
		return p, err
	}
	return p, h.carryOut(ctx, mfa.Visit{Actor: mfa.ActorAdmin, UserAgent: "sallyport dev"}, p)
}
