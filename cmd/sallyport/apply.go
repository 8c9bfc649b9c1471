package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"sallyport/cmd/sallyport/adminclient"
	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/config/strict"
	"sallyport/provider/desired"
)

// applyCommand compares a desired state with the records, prints the differences and applies them.
func applyCommand(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("apply", "create and change the clients, users and API keys of a desired-state file", "STATE [flags]",
		"Prints every difference and then applies it. A file with a fault is refused as a whole.\n"+
			"Of users who exist, names, verified flags, profile, status and mfa_enabled are changed\n"+
			"where the file names them; passwords and factors are not. See docs/desired-state.md.")
	dry := f.Bool("dry-run", false, "print the differences and change nothing")
	prune := f.Bool("prune", false, "delete clients and API keys that are not in the file")
	credentials := f.Bool("replace-credentials", false, "also replace the passwords, authenticators and recovery codes of users who exist")
	ask := p.Ask(f)
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	text, err := os.ReadFile(f.Arg(0))
	if err != nil {
		return fmt.Errorf("read desired state: %w", err)
	}
	post := func(dry bool) (desired.Outcome, error) {
		var o desired.Outcome
		err := d.Call(ctx, "POST", "/state", url.Values{"dry_run": {strconv.FormatBool(dry)}, "prune": {strconv.FormatBool(*prune)},
			"replace_credentials": {strconv.FormatBool(*credentials)}}, text, &o)
		return o, ofFile(err, f.Arg(0))
	}
	o, err := post(true)
	if err != nil {
		return err
	}
	if d.json {
		if !*dry && len(o.Changes) > 0 {
			if err := askToDelete(ctx, ask, o, post); err != nil {
				return err
			}
			if o, err = post(false); err != nil {
				return err
			}
		}
		return d.print(o, nil)
	}
	writeOutcome(p.Out, o)
	switch {
	case len(o.Changes) == 0:
		fmt.Fprintln(p.Out, "Nothing to do.")
		return nil
	case *dry:
		fmt.Fprint(p.Out, "Nothing was changed. To do: ")
		writeSummary(p.Out, o)
		return nil
	}
	if err := askToDelete(ctx, ask, o, post); err != nil {
		return err
	}
	if o, err = post(false); err != nil {
		return fmt.Errorf("apply %s: %w", f.Arg(0), err)
	}
	writeSummary(p.Out, o)
	return nil
}

// askToDelete asks before records are deleted that are not in the file. Others may have been
// created while someone thought about it: they are not deleted unasked.
func askToDelete(ctx context.Context, ask func(context.Context, string) error, o desired.Outcome, post func(dry bool) (desired.Outcome, error)) error {
	labels := deletions(o)
	if len(labels) == 0 {
		return nil
	}
	if err := ask(ctx, "delete "+strings.Join(labels, ", ")); err != nil {
		return err
	}
	now, err := post(true)
	if err == nil && !slices.Equal(deletions(now), labels) {
		err = errors.New("what would be deleted has changed; nothing was changed, run it again")
	}
	return err
}

// deletions returns the labels of the records that are deleted.
func deletions(o desired.Outcome) []string {
	var out []string
	for _, r := range o.Changes {
		if r.Action == desired.Delete {
			out = append(out, label(r.Kind, r.Name))
		}
	}
	return out
}

// ofFile adds the name of the file to the faults of its text.
func ofFile(err error, file string) error {
	var e *adminclient.Problem
	if !errors.As(err, &e) || len(e.Faults) == 0 {
		return err
	}
	var faults strict.Faults
	for _, x := range e.Faults {
		faults = append(faults, strict.Fault{Source: file, Line: x.Line, Path: x.Field, Text: x.Detail})
	}
	return server.StateFaults(faults)
}
