package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"sallyport/mfa"
	"sallyport/storage"
)

// clientDifferences compares two clients key by key, the times and the secrets
// excepted. Keys have the names of the desired state, which are those of the record.
func clientDifferences(have, want storage.Client) []mfa.Difference {
	var out []mfa.Difference
	a, b := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if slices.Contains([]string{"ID", "SecretHashes", "CreatedAt", "UpdatedAt"}, field.Name) {
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		from, to := settingOf(a.Field(i)), settingOf(b.Field(i))
		if !reflect.DeepEqual(from, to) {
			out = append(out, mfa.Difference{Key: key, From: from, To: to})
		}
	}
	return out
}

// settingOf is a value as the desired state writes it; nil: left out.
func settingOf(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		if s, ok := v.Elem().Interface().(storage.Seconds); ok {
			return s.Duration().String()
		}
		return v.Elem().Interface()
	}
	if v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
		return nil
	}
	if s, ok := v.Interface().(storage.Seconds); ok {
		return s.Duration().String()
	}
	return v.Interface()
}

// sameSecret reports whether the secret a client should have is one it has. While a
// rotation is under way there are two, and apply leaves both.
func sameSecret(have, want storage.Client) bool {
	if len(want.SecretHashes) == 0 {
		return len(have.SecretHashes) == 0
	}
	return slices.ContainsFunc(have.SecretHashes, func(h []byte) bool { return bytes.Equal(h, want.SecretHashes[0]) })
}

// write shows what apply is going to do, before it does it: what becomes of things that
// are not in the file comes first, for nobody wrote that down.
func (p *plan) write(w io.Writer) {
	p.writeMissing(w)
	for _, c := range p.clients {
		if c.was == nil {
			fmt.Fprintf(w, "client %s: new\n", c.want.ID)
		} else {
			fmt.Fprintf(w, "client %s: changed\n", c.want.ID)
		}
		writeDifferences(w, c.differences, c.was == nil)
	}
	for _, u := range p.users {
		if u.amendment == nil {
			fmt.Fprintf(w, "user %s: new\n", u.name)
		} else {
			fmt.Fprintf(w, "user %s: changed\n", u.name)
		}
		writeDifferences(w, u.differences, u.amendment == nil)
	}
	for _, k := range p.keys {
		if k.was == nil {
			fmt.Fprintf(w, "API key %s: new\n", shownText(k.draft.Name))
		} else {
			fmt.Fprintf(w, "API key %s: changed\n", shownText(k.draft.Name))
		}
		writeDifferences(w, k.differences, k.was == nil)
	}
}

// writeMissing shows what becomes of things that are not in the file.
func (p *plan) writeMissing(w io.Writer) {
	for _, id := range p.pruned {
		fmt.Fprintf(w, "client %s: deleted with its tokens and consents, because it is not in the file\n", id)
	}
	for _, k := range p.prunedKeys {
		fmt.Fprintf(w, "API key %s: deleted, because it is not in the file\n", shownText(k.Name))
	}
	for _, id := range p.leftClients {
		fmt.Fprintf(w, "client %s: not in the file, left alone\n", id)
	}
	for _, name := range p.leftKeys {
		fmt.Fprintf(w, "API key %s: not in the file, left alone\n", shownText(name))
	}
	for _, name := range p.leftUsers {
		fmt.Fprintf(w, "user %s: not in the file, left alone\n", name)
	}
	if n := p.leftUsersMore; n > 0 {
		fmt.Fprintf(w, "%d more users: not in the file, left alone\n", n)
	}
}

func writeDifferences(w io.Writer, ds []mfa.Difference, isNew bool) {
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
