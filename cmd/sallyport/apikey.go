package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/web/admin"
)

// apiKeyCommand manages the API keys of backends.
func apiKeyCommand(ctx context.Context, p *cli.Program, args []string) error {
	return p.Group(ctx, "apikey", "the API keys of backends; KEY is an id or a name", []cli.Command{
		{Name: "list", Args: "", About: "all API keys", Run: apiKeyList},
		{Name: "show", Args: "KEY", About: "one API key", Run: apiKeyShow},
		{Name: "create", Args: "--name NAME --dialect D --verb V --out FILE", About: "create an API key", Run: apiKeyCreate},
		{Name: "disable", Args: "KEY", About: "refuse an API key until it is enabled again", Run: apiKeyDisable},
		{Name: "enable", Args: "KEY", About: "accept a disabled API key again", Run: apiKeyEnable},
		{Name: "delete", Args: "KEY", About: "delete an API key", Run: apiKeyDelete},
		{Name: "rotate-secret", Args: "KEY --out FILE", About: "add a second secret; --finish removes the old one", Run: apiKeyRotate},
	}, args)
}

// apiKey finds an API key by id or name.
func (d *connection) apiKey(ctx context.Context, which string) (admin.APIKey, error) {
	var found admin.APIKeys
	if err := d.Get(ctx, "/api-keys", url.Values{"name": {which}}, &found); err != nil {
		return admin.APIKey{}, withSubject(err, fmt.Sprintf("API key %q", which))
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
		return "ended with the key that created it"
	case k.Secrets > 1:
		return "active, secret being rotated"
	}
	return "active"
}

func apiKeyList(ctx context.Context, p *cli.Program, args []string) error {
	d, err := connect(ctx, p, p.Flags("apikey list", "all API keys", "[flags]"), args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	var all admin.APIKeys
	if err := d.Get(ctx, "/api-keys", nil, &all); err != nil {
		return err
	}
	return d.print(all.APIKeys, func(w io.Writer) {
		fmt.Fprintln(w, "ID\tNAME\tDIALECTS\tVERBS\tSTATE\tEXPIRES\tLAST USED")
		for _, k := range all.APIKeys {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, cli.Printable(k.Name), strings.Join(k.Dialects, ", "), strings.Join(k.Verbs, ", "),
				apiKeyState(k, p.Now()), cli.OptionalTime(k.ExpiresAt), cli.OptionalTime(k.LastUsedAt))
		}
	})
}

func apiKeyShow(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("apikey show", "one API key; secrets are not shown", "KEY [flags]")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	k, err := d.apiKey(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	return d.print(k, func(w io.Writer) {
		line := func(key, value string) { fmt.Fprintf(w, "%s\t%s\n", key, value) }
		line("id", string(k.ID))
		line("name", cli.Printable(k.Name))
		line("dialects", strings.Join(k.Dialects, ", "))
		line("verbs", strings.Join(k.Verbs, ", "))
		if k.Project != "" {
			line("project", k.Project)
		}
		if k.App != "" {
			line("app", cli.Printable(k.App))
		}
		line("state", apiKeyState(k, p.Now()))
		line("created by", cmp.Or(string(k.Maker), "an operator"))
		line("expires", cli.OptionalTime(k.ExpiresAt))
		line("last used", cli.OptionalTime(k.LastUsedAt))
		fmt.Fprintf(w, "secrets\t%d\n", k.Secrets)
		line("created", cli.Time(k.CreatedAt))
		line("changed", cli.Time(k.UpdatedAt))
	})
}

func apiKeyCreate(ctx context.Context, p *cli.Program, args []string) error {
	body := map[string]any{}
	f := p.Flags("apikey create", "create an API key; its secret is written to a new file and shown nowhere else", "--name NAME --dialect D --verb V --out FILE")
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
	text("name", "name", "`name` for people")
	list("dialect", "dialects", "`API` it may call: admin, streambird or stytch; several with commas")
	list("verb", "verbs", "`verb` it may use there: read, write, or both with a comma")
	text("project", "project", "project_id, with dialect stytch")
	text("app", "app", "`name` of the application, with dialect streambird")
	text("expires", "expires_at", "`time` it expires, such as 2027-01-31T18:00:00Z; default: never")
	out := f.String("out", "", "new `file` for the secret; - is standard output")
	d, err := connect(ctx, p, f, args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	if *out == "" {
		return cli.UsageError("apikey create: want --out FILE for the secret")
	}
	var done admin.Done
	err = d.intoFile(*out, func() (string, error) {
		err := d.Call(ctx, "POST", "/api-keys", nil, body, &done)
		return done.Secret, err
	}, func() error { return d.Call(ctx, "DELETE", "/api-keys/"+string(done.APIKey), nil, nil, &admin.Done{}) })
	if err != nil {
		return withSubjectEach(err, "apikey create")
	}
	if *out == "-" {
		return nil
	}
	done.Secret = ""
	name, _ := body["name"].(string)
	return d.printDone(done, fmt.Sprintf("API key %s (%s)", name, done.APIKey))
}

// changeAPIKey runs a verb that makes one call about one key.
func changeAPIKey(ctx context.Context, p *cli.Program, f cli.Flags, args []string, path string) error {
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.changeAPIKey(ctx, f.Arg(0), "POST", path)
}

func (d *connection) changeAPIKey(ctx context.Context, which, method, path string) error {
	k, err := d.apiKey(ctx, which)
	if err != nil {
		return err
	}
	var done admin.Done
	if err := d.Call(ctx, method, "/api-keys/"+string(k.ID)+path, nil, nil, &done); err != nil {
		return withSubject(err, fmt.Sprintf("API key %q", which))
	}
	return d.printDone(done, "API key "+apiKeyLabel(k))
}

// apiKeyLabel returns the name of an API key and its ID.
func apiKeyLabel(k admin.APIKey) string { return cli.Printable(k.Name) + " (" + string(k.ID) + ")" }

func apiKeyDisable(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("apikey disable", "refuse an API key until it is enabled again", "KEY [flags]", "It takes effect on every server within two seconds.")
	return changeAPIKey(ctx, p, f, args, "/disable")
}

func apiKeyEnable(ctx context.Context, p *cli.Program, args []string) error {
	return changeAPIKey(ctx, p, p.Flags("apikey enable", "accept a disabled API key again", "KEY [flags]"), args, "/enable")
}

func apiKeyDelete(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("apikey delete", "delete an API key", "KEY [flags]", "It takes effect on every server within two seconds. The audit trail is kept.")
	ask := p.Ask(f)
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	k, err := d.apiKey(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	if err := ask(ctx, "delete API key "+apiKeyLabel(k)); err != nil {
		return err
	}
	return d.changeAPIKey(ctx, string(k.ID), "DELETE", "")
}
