package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"sallyport/web/admin"
)

// apiKeyCommand is an operator's work on the keys of backends.
func apiKeyCommand(ctx context.Context, p *program, args []string) error {
	return p.group(ctx, "apikey", "the keys with which backends call; KEY is an id or a name", []command{
		{name: "list", args: "", about: "all API keys", run: apiKeyList},
		{name: "show", args: "KEY", about: "one API key", run: apiKeyShow},
		{name: "create", args: "--name NAME --dialect D --verb V --out FILE", about: "make an API key", run: apiKeyCreate},
		{name: "disable", args: "KEY", about: "let it open nothing until it is enabled", run: apiKeyDisable},
		{name: "enable", args: "KEY", about: "let it open again what it did", run: apiKeyEnable},
		{name: "delete", args: "KEY", about: "remove an API key for good", run: apiKeyDelete},
		{name: "rotate-secret", args: "KEY --out FILE", about: "add a second secret; --finish removes the old one", run: apiKeyRotate},
	}, args)
}

// apiKey is the key a verb was told about.
func (d *desk) apiKey(ctx context.Context, which string) (admin.APIKey, error) {
	var found admin.APIKeys
	if err := d.get(ctx, "/api-keys", url.Values{"name": {which}}, &found); err != nil {
		return admin.APIKey{}, about(err, fmt.Sprintf("API key %q", which))
	}
	if len(found.APIKeys) == 0 {
		return admin.APIKey{}, fmt.Errorf("API key %q: there is no such API key", which)
	}
	return found.APIKeys[0], nil
}

func apiKeyState(k admin.APIKey, now time.Time) string {
	switch {
	case k.Disabled:
		return "disabled"
	case k.ExpiresAt != nil && !now.Before(*k.ExpiresAt):
		return "expired"
	case k.Orphaned:
		return "ended with the key that made it"
	case k.Secrets > 1:
		return "active, secret being rotated"
	}
	return "active"
}

func apiKeyList(ctx context.Context, p *program, args []string) error {
	d, err := newDesk(ctx, p, p.flags("apikey list", "all API keys", "[flags]"), args, 0)
	if err != nil {
		return err
	}
	defer d.close()
	var all admin.APIKeys
	if err := d.get(ctx, "/api-keys", nil, &all); err != nil {
		return err
	}
	return d.answer(all.APIKeys, func(w io.Writer) {
		fmt.Fprintln(w, "ID\tNAME\tDIALECTS\tVERBS\tSTATE\tEXPIRES\tLAST USED")
		for _, k := range all.APIKeys {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, shownText(k.Name), strings.Join(k.Dialects, ", "), strings.Join(k.Verbs, ", "),
				apiKeyState(k, p.now()), stampOf(k.ExpiresAt), stampOf(k.LastUsedAt))
		}
	})
}

func apiKeyShow(ctx context.Context, p *program, args []string) error {
	f := p.flags("apikey show", "one API key; secrets are not shown", "KEY [flags]")
	d, err := newDesk(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	k, err := d.apiKey(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	return d.answer(k, func(w io.Writer) {
		line := func(key, value string) { fmt.Fprintf(w, "%s\t%s\n", key, value) }
		line("id", string(k.ID))
		line("name", shownText(k.Name))
		line("dialects", strings.Join(k.Dialects, ", "))
		line("verbs", strings.Join(k.Verbs, ", "))
		if k.Project != "" {
			line("project", k.Project)
		}
		if k.App != "" {
			line("app", shownText(k.App))
		}
		line("state", apiKeyState(k, p.now()))
		line("made by", cmp.Or(string(k.Maker), "an operator"))
		line("expires", stampOf(k.ExpiresAt))
		line("last used", stampOf(k.LastUsedAt))
		fmt.Fprintf(w, "secrets\t%d\n", k.Secrets)
		line("created", stamp(k.CreatedAt))
		line("changed", stamp(k.UpdatedAt))
	})
}

func apiKeyCreate(ctx context.Context, p *program, args []string) error {
	body := map[string]any{}
	f := p.flags("apikey create", "make an API key; its secret goes into a new file and is shown nowhere", "--name NAME --dialect D --verb V --out FILE")
	text := func(flag, key, usage string) {
		f.Func(flag, usage, func(value string) error { body[key] = value; return nil })
	}
	list := func(flag, key, usage string) {
		f.Func(flag, usage, func(value string) error {
			all, _ := body[key].([]string)
			body[key] = append(all, strings.Split(value, ",")...)
			return nil
		})
	}
	text("name", "name", "`name` people know it by")
	list("dialect", "dialects", "`API` it opens: admin, streambird or stytch; several with commas")
	list("verb", "verbs", "what it may do there: `read`, write or both with a comma")
	text("project", "project", "project_id, with dialect stytch")
	text("app", "app", "`name` of the application, with dialect streambird")
	text("expires", "expires_at", "`time` it ends, such as 2027-01-31T18:00:00Z; left out: never")
	out := f.String("out", "", "new `file` for the secret; - is standard output")
	d, err := newDesk(ctx, p, f, args, 0)
	if err != nil {
		return err
	}
	defer d.close()
	if *out == "" {
		return usageError("apikey create: want --out FILE for the secret")
	}
	var done admin.Done
	err = d.intoFile(*out, func() (string, error) {
		err := d.call(ctx, "POST", "/api-keys", nil, body, &done)
		return done.Secret, err
	}, func() error { return d.call(ctx, "DELETE", "/api-keys/"+string(done.APIKey), nil, nil, &admin.Done{}) })
	if err != nil {
		return aboutEach(err, "apikey create")
	}
	if *out == "-" {
		return nil
	}
	done.Secret = ""
	return d.did(done, "API key "+string(done.APIKey))
}

// intoFile writes the secret of an answer, which is told once, into a new file. The file
// is made before, so that nothing is done that cannot be written down; should it still
// not be, undo takes it back.
func (d *desk) intoFile(out string, do func() (string, error), undo func() error) error {
	if out == "-" {
		secret, err := do()
		if err != nil {
			return err
		}
		_, err = io.WriteString(d.p.out, secret+"\n")
		return err
	}
	if err := writeNew(out, nil); err != nil {
		return err
	}
	secret, err := do()
	if err != nil {
		return errors.Join(err, os.Remove(out))
	}
	if err := os.WriteFile(out, []byte(secret+"\n"), 0o600); err != nil {
		return errors.Join(fmt.Errorf("write secret: %w", err), undo(), os.Remove(out))
	}
	return nil
}

// changeAPIKey plays a verb that does one thing to one key.
func changeAPIKey(ctx context.Context, p *program, f flags, args []string, method, path string) error {
	d, err := newDesk(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	return d.changeAPIKey(ctx, f.Arg(0), method, path)
}

func (d *desk) changeAPIKey(ctx context.Context, which, method, path string) error {
	k, err := d.apiKey(ctx, which)
	if err != nil {
		return err
	}
	var done admin.Done
	if err := d.call(ctx, method, "/api-keys/"+string(k.ID)+path, nil, nil, &done); err != nil {
		return about(err, fmt.Sprintf("API key %q", which))
	}
	return d.did(done, "API key "+k.Name+" ("+string(k.ID)+")")
}

func apiKeyDisable(ctx context.Context, p *program, args []string) error {
	f := p.flags("apikey disable", "let an API key open nothing until it is enabled", "KEY [flags]", "Servers see it within two seconds.")
	return changeAPIKey(ctx, p, f, args, "POST", "/disable")
}

func apiKeyEnable(ctx context.Context, p *program, args []string) error {
	return changeAPIKey(ctx, p, p.flags("apikey enable", "let an API key open again what it did", "KEY [flags]"), args, "POST", "/enable")
}

func apiKeyDelete(ctx context.Context, p *program, args []string) error {
	f := p.flags("apikey delete", "remove an API key for good", "KEY [flags]", "Servers see it within two seconds. The audit trail stays.")
	return changeAPIKey(ctx, p, f, args, "DELETE", "")
}

func apiKeyRotate(ctx context.Context, p *program, args []string) error {
	f := p.flags("apikey rotate-secret", "give an API key another secret without an outage", "KEY --out FILE | --finish | --withdraw",
		"First, with --out: a new secret is made and written to a new file that only its owner can\n"+
			"read. From then on both are good. Give the new one to the backend. Then, with --finish: the\n"+
			"old one is worthless. Or, with --withdraw: the new one is.")
	out := f.String("out", "", "new `file` for the new secret; - is standard output")
	finish := f.Bool("finish", false, "remove the old secret")
	withdraw := f.Bool("withdraw", false, "remove the new secret, which went to nobody or to the wrong ones")
	d, err := newDesk(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	switch {
	case *finish && !*withdraw && *out == "":
		return d.changeAPIKey(ctx, f.Arg(0), "DELETE", "/secrets/old")
	case *withdraw && !*finish && *out == "":
		return d.changeAPIKey(ctx, f.Arg(0), "DELETE", "/secrets/new")
	case *finish || *withdraw || *out == "":
		return usageError("apikey rotate-secret: want one of --out FILE, --finish and --withdraw")
	}
	k, err := d.apiKey(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	one := "/api-keys/" + string(k.ID) + "/secrets"
	var done admin.Done
	err = d.intoFile(*out, func() (string, error) {
		err := d.call(ctx, "POST", one, nil, nil, &done)
		return done.Secret, err
	}, func() error { return d.call(ctx, "DELETE", one+"/new", nil, nil, &admin.Done{}) })
	if err != nil {
		return about(err, fmt.Sprintf("API key %q", f.Arg(0)))
	}
	if *out == "-" {
		return nil
	}
	return d.did(admin.Done{APIKey: k.ID, Done: "the secret in the new file is good beside the old one; end with --finish or --withdraw"}, "API key "+k.Name)
}
