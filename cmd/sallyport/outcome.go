package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sallyport/web/admin"
)

// outcome is a plan as the admin API tells it, in the order in which it is carried out.
func (p *plan) outcome() admin.Outcome {
	out := admin.Outcome{Changes: []admin.Record{}, LeftAlone: []admin.Left{}, MoreUsers: p.leftUsersMore}
	action := func(isNew bool) string {
		if isNew {
			return admin.Create
		}
		return admin.Change
	}
	for _, c := range p.clients {
		out.Changes = append(out.Changes, admin.Record{Kind: admin.KindClient, Name: string(c.want.ID), Action: action(c.was == nil),
			Differences: admin.DifferencesOf(c.differences)})
	}
	for _, u := range p.users {
		out.Changes = append(out.Changes, admin.Record{Kind: admin.KindUser, Name: u.name, ID: string(u.id), Action: action(u.amendment == nil),
			Differences: admin.DifferencesOf(u.differences)})
	}
	for _, k := range p.keys {
		out.Changes = append(out.Changes, admin.Record{Kind: admin.KindAPIKey, Name: k.draft.Name, ID: string(k.want.ID), Action: action(k.was == nil),
			Differences: admin.DifferencesOf(k.differences)})
	}
	for _, id := range p.pruned {
		out.Changes = append(out.Changes, admin.Record{Kind: admin.KindClient, Name: string(id), Action: admin.Delete})
	}
	for _, k := range p.prunedKeys {
		out.Changes = append(out.Changes, admin.Record{Kind: admin.KindAPIKey, Name: k.Name, ID: string(k.ID), Action: admin.Delete})
	}
	for _, id := range p.leftClients {
		out.LeftAlone = append(out.LeftAlone, admin.Left{Kind: admin.KindClient, Name: string(id)})
	}
	for _, name := range p.leftKeys {
		out.LeftAlone = append(out.LeftAlone, admin.Left{Kind: admin.KindAPIKey, Name: name})
	}
	for _, name := range p.leftUsers {
		out.LeftAlone = append(out.LeftAlone, admin.Left{Kind: admin.KindUser, Name: name})
	}
	return out
}

// called is a record as people are told of it.
func called(kind, name string) string {
	return strings.ReplaceAll(kind, admin.KindAPIKey, "API key") + " " + shownText(name)
}

// writeOutcome shows what apply is going to do, before it does it: what becomes of things
// that are not in the file comes first, for nobody wrote that down.
func writeOutcome(w io.Writer, o admin.Outcome) {
	writeMissing(w, o)
	for _, r := range o.Changes {
		switch r.Action {
		case admin.Create:
			fmt.Fprintf(w, "%s: new\n", called(r.Kind, r.Name))
		case admin.Change:
			fmt.Fprintf(w, "%s: changed\n", called(r.Kind, r.Name))
		}
		writeDifferences(w, r.Differences, r.Action == admin.Create)
	}
}

// writeMissing shows what becomes of things that are not in the file.
func writeMissing(w io.Writer, o admin.Outcome) {
	for _, r := range o.Changes {
		switch {
		case r.Action != admin.Delete:
		case r.Kind == admin.KindClient:
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

func writeDifferences(w io.Writer, ds []admin.Difference, isNew bool) {
	for _, d := range ds {
		switch {
		case d.Secret && isNew:
			fmt.Fprintf(w, "    %s: set (not shown)\n", shownText(d.Key))
		case d.Secret:
			fmt.Fprintf(w, "    %s: another one (not shown)\n", shownText(d.Key))
		case isNew:
			fmt.Fprintf(w, "    %s: %s\n", shownText(d.Key), shownValue(d.To))
		default:
			fmt.Fprintf(w, "    %s: %s -> %s\n", shownText(d.Key), shownValue(d.From), shownValue(d.To))
		}
	}
}

// writeSummary is what was done, in a line or two.
func writeSummary(w io.Writer, o admin.Outcome) {
	count := map[[2]string]int{}
	for _, r := range o.Changes {
		count[[2]string{r.Kind, r.Action}]++
	}
	of := func(kind, action string) int { return count[[2]string{kind, action}] }
	fmt.Fprintf(w, "Clients: %d made, %d changed, %d deleted. Users: %d made, %d changed.\n",
		of(admin.KindClient, admin.Create), of(admin.KindClient, admin.Change), of(admin.KindClient, admin.Delete),
		of(admin.KindUser, admin.Create), of(admin.KindUser, admin.Change))
	made, changed, deleted := of(admin.KindAPIKey, admin.Create), of(admin.KindAPIKey, admin.Change), of(admin.KindAPIKey, admin.Delete)
	if made+changed+deleted > 0 {
		fmt.Fprintf(w, "API keys: %d made, %d changed, %d deleted.\n", made, changed, deleted)
	}
}

// shownValue writes a value in JSON, in which texts have quotes.
func shownValue(v any) string {
	if v == nil {
		return "(none)"
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return shownText(fmt.Sprint(v))
	}
	return shownText(strings.TrimSuffix(b.String(), "\n"))
}
