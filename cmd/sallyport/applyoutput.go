package main

import (
	"fmt"
	"io"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/mfa/users"
	"sallyport/provider/desired"
)

// called is a record as people are told of it.
func called(kind, name string) string {
	return strings.ReplaceAll(kind, desired.KindAPIKey, "API key") + " " + cli.Printable(name)
}

// writeOutcome shows what apply is going to do, before it does it: what becomes of things
// that are not in the file comes first, for nobody wrote that down.
func writeOutcome(w io.Writer, o desired.Outcome) {
	writeMissing(w, o)
	for _, r := range o.Changes {
		switch r.Action {
		case desired.Create:
			fmt.Fprintf(w, "%s: new\n", called(r.Kind, r.Name))
		case desired.Change:
			fmt.Fprintf(w, "%s: changed\n", called(r.Kind, r.Name))
		}
		writeDifferences(w, r.Differences, r.Action == desired.Create)
	}
}

// writeMissing shows what becomes of things that are not in the file.
func writeMissing(w io.Writer, o desired.Outcome) {
	for _, r := range o.Changes {
		switch {
		case r.Action != desired.Delete:
		case r.Kind == desired.KindClient:
			fmt.Fprintf(w, "%s: deleted with its tokens and consents, because it is not in the file\n", called(r.Kind, r.Name))
		default:
			fmt.Fprintf(w, "%s: deleted, because it is not in the file\n", called(r.Kind, r.Name))
		}
	}
	for _, l := range o.LeftAlone {
		fmt.Fprintf(w, "%s: not in the file, left alone\n", called(l.Kind, l.Name))
	}
	if o.MoreUsers > 0 {
		fmt.Fprintf(w, "%d more users: not in the file, left alone\n", o.MoreUsers)
	}
}

func writeDifferences(w io.Writer, ds []users.Difference, isNew bool) {
	for _, d := range ds {
		switch {
		case d.Secret && isNew:
			fmt.Fprintf(w, "    %s: set (not shown)\n", cli.Printable(d.Key))
		case d.Secret:
			fmt.Fprintf(w, "    %s: another one (not shown)\n", cli.Printable(d.Key))
		case isNew:
			fmt.Fprintf(w, "    %s: %s\n", cli.Printable(d.Key), cli.PrintableValue(d.To))
		default:
			fmt.Fprintf(w, "    %s: %s -> %s\n", cli.Printable(d.Key), cli.PrintableValue(d.From), cli.PrintableValue(d.To))
		}
	}
}

// writeSummary is what was done, in a line or two.
func writeSummary(w io.Writer, o desired.Outcome) {
	count := map[[2]string]int{}
	for _, r := range o.Changes {
		count[[2]string{r.Kind, r.Action}]++
	}
	of := func(kind, action string) int { return count[[2]string{kind, action}] }
	fmt.Fprintf(w, "Clients: %d made, %d changed, %d deleted. Users: %d made, %d changed.\n",
		of(desired.KindClient, desired.Create), of(desired.KindClient, desired.Change), of(desired.KindClient, desired.Delete),
		of(desired.KindUser, desired.Create), of(desired.KindUser, desired.Change))
	made, changed, deleted := of(desired.KindAPIKey, desired.Create), of(desired.KindAPIKey, desired.Change), of(desired.KindAPIKey, desired.Delete)
	if made+changed+deleted > 0 {
		fmt.Fprintf(w, "API keys: %d made, %d changed, %d deleted.\n", made, changed, deleted)
	}
}
