package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"sallyport/mfa"
	"sallyport/storage"
)

// group plays a command that has verbs of its own.
func (p *program) group(ctx context.Context, name, about string, verbs []command, args []string) error {
	if len(args) > 0 {
		for _, v := range verbs {
			if v.name == args[0] {
				return v.run(ctx, p, args[1:])
			}
		}
	}
	if len(args) > 0 && slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprintf(p.out, "sallyport %s: %s\n\n", name, about)
		t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
		for _, v := range verbs {
			fmt.Fprintf(t, "  sallyport %s %s %s\t%s\n", name, v.name, v.args, v.about)
		}
		fmt.Fprintf(t, "\n\"sallyport %s VERB -h\" shows the flags of a verb.\n", name)
		_ = t.Flush() // a reader that went away is no fault
		return nil
	}
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.name
	}
	return usageError{fmt.Sprintf("%s: want one of %s; see sallyport %s -h", name, strings.Join(names, ", "), name)}
}

// ordered puts flags before arguments, because package flag stops at the first
// argument, and people write "apply FILE --dry-run".
func (f flags) ordered(args []string) []string {
	var named, rest []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		named = append(named, arg)
		known := f.Lookup(strings.TrimLeft(arg, "-"))
		if known == nil { // "name=value", or one that the package refuses
			continue
		}
		if b, ok := known.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			continue
		}
		if i+1 == len(args) { // its value is missing: the package says so
			return append(rest[:0:0], named...)
		}
		i++
		named = append(named, args[i])
	}
	return append(append(named, "--"), rest...)
}

// desk is where an operator works on users and clients: the database, opened, and how
// to answer.
type desk struct {
	*house
	p     *program
	visit mfa.Visit // says in the audit trail that an administrator did it, and with which command
	json  bool
}

// desk reads the settings a verb was told about and opens the database. rest is how
// many further arguments the verb takes.
func (p *program) desk(ctx context.Context, f flags, args []string, rest int) (*desk, error) {
	d := &desk{p: p, visit: mfa.Visit{Actor: mfa.ActorAdmin, UserAgent: "sallyport " + f.Name()}}
	f.BoolVar(&d.json, "json", false, "answer in JSON")
	c, err := p.settings(f, args, rest)
	if err != nil {
		return nil, err
	}
	if d.house, err = p.open(ctx, c); err != nil {
		return nil, err
	}
	return d, nil
}

// answer prints a result: in JSON, or as text.
func (d *desk) answer(view any, text func(w io.Writer)) error {
	if d.json {
		e := json.NewEncoder(d.p.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(view)
	}
	t := tabwriter.NewWriter(d.p.out, 0, 0, 2, ' ', 0)
	text(t)
	return t.Flush()
}

// did is the answer of a verb that changed something.
type did struct {
	User    storage.UserID    `json:"user,omitempty"`
	Client  storage.ClientID  `json:"client,omitempty"`
	Session storage.SessionID `json:"session,omitempty"`
	Done    string            `json:"done"`
}

// did prints it; who names whom it was done to.
func (d *desk) did(x did, who string) error {
	return d.answer(x, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", shownText(who), x.Done) })
}

// account is the user a verb was told about.
func (d *desk) account(ctx context.Context, who string) (storage.Account, error) {
	a, err := d.users.Find(ctx, who)
	return a, refusal(err, fmt.Sprintf("user %q", who))
}

// refusals are mfa's codes in an operator's words.
var refusals = map[mfa.Code]string{
	mfa.UserNotFound:      "there is no such user",
	mfa.IdentifierTaken:   "another user has that name or ID",
	mfa.InvalidIdentifier: "is no e-mail address, phone number or user name",
	mfa.InvalidRequest:    "cannot be read",
	mfa.PasswordTooShort:  "the password has fewer than 8 bytes",
	mfa.PasswordTooLong:   "the password has more than 1024 bytes",
	mfa.PasswordTooCommon: "the password is on the list of common passwords",
	mfa.NotSignedIn:       "there is no such session, or it is over",
	mfa.Busy:              "the machine is busy hashing passwords; try again",
}

// refusal says in words why something was refused, and of whom.
func refusal(err error, whom string) error {
	if err == nil {
		return nil
	}
	if text, ok := refusals[mfa.CodeOf(err)]; ok {
		return fmt.Errorf("%s: %s", whom, text)
	}
	return fmt.Errorf("%s: %w", whom, err)
}

// shownText is a text that others chose, as a terminal may show it: control characters
// could repaint the screen.
func shownText(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
