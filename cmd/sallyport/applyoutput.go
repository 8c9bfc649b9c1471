package main

import (
	"fmt"
	"io"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa/users"
	"sallyport/provider/desired"
)

// label names a record for people.
func label(kind, name string) string {
	return strings.ReplaceAll(kind, desired.KindAPIKey, "API key") + " " + cli.Printable(name)
}

// writeOutcome prints what apply is about to do, and then what it leaves as it is.
func writeOutcome(w io.Writer, o desired.Outcome) {
	writeDeleted(w, o)
	for _, r := range o.Changes {
		switch r.Action {
		case desired.Create:
			fmt.Fprintf(w, "%s: new\n", label(r.Kind, r.Name))
		case desired.Change:
			fmt.Fprintf(w, "%s: changed\n", label(r.Kind, r.Name))
		}
		writeDifferences(w, r.Differences, r.Action == desired.Create)
	}
	writeKept(w, o)
}

// writeDeleted prints what --prune deletes.
func writeDeleted(w io.Writer, o desired.Outcome) {
	for _, r := range o.Changes {
		switch {
		case r.Action != desired.Delete:
		case r.Kind == desired.KindClient:
			fmt.Fprintf(w, "%s: deleted with its tokens and consents, because it is not in the file\n", label(r.Kind, r.Name))
		default:
			fmt.Fprintf(w, "%s: deleted, because it is not in the file\n", label(r.Kind, r.Name))
		}
	}
}

// writeKept prints which records are not in the file, and stay.
func writeKept(w io.Writer, o desired.Outcome) {
	for _, l := range o.LeftAlone {
		fmt.Fprintf(w, "%s: not in the file, kept\n", label(l.Kind, l.Name))
	}
	if o.MoreUsers > 0 {
		fmt.Fprintf(w, "%d more users: not in the file, kept\n", o.MoreUsers)
	}
}

func writeDifferences(w io.Writer, ds []users.Difference, isNew bool) {
	for _, d := range ds {
		switch {
		case d.Secret && isNew:
			fmt.Fprintf(w, "    %s: set (not shown)\n", cli.Printable(d.Key))
		case d.Secret:
			fmt.Fprintf(w, "    %s: replaced (not shown)\n", cli.Printable(d.Key))
		case isNew:
			fmt.Fprintf(w, "    %s: %s\n", cli.Printable(d.Key), cli.PrintableValue(d.To))
		default:
			fmt.Fprintf(w, "    %s: %s -> %s\n", cli.Printable(d.Key), cli.PrintableValue(d.From), cli.PrintableValue(d.To))
		}
		if d.Warning != "" {
			fmt.Fprintf(w, "      WARNING: %s\n", cli.Printable(d.Warning))
		}
	}
}

// writeSummary prints the numbers of changes, in a line or two.
func writeSummary(w io.Writer, o desired.Outcome) {
	count := map[[2]string]int{}
	for _, r := range o.Changes {
		count[[2]string{r.Kind, r.Action}]++
	}
	of := func(kind, action string) int { return count[[2]string{kind, action}] }
	fmt.Fprintf(w, "Clients: %d created, %d changed, %d deleted. Users: %d created, %d changed.\n",
		of(desired.KindClient, desired.Create), of(desired.KindClient, desired.Change), of(desired.KindClient, desired.Delete),
		of(desired.KindUser, desired.Create), of(desired.KindUser, desired.Change))
	created, changed, deleted := of(desired.KindAPIKey, desired.Create), of(desired.KindAPIKey, desired.Change), of(desired.KindAPIKey, desired.Delete)
	if created+changed+deleted > 0 {
		fmt.Fprintf(w, "API keys: %d created, %d changed, %d deleted.\n", created, changed, deleted)
	}
}
