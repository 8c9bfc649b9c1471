package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/input"
	"sallyport/storage"
	"sallyport/web/admin"
)

// maxPasswordInput bounds what is read as a password.
const maxPasswordInput = 4096

// removeFromUser is changeUser for a verb that deletes what cannot be brought back: it asks.
func removeFromUser(ctx context.Context, p *cli.Program, f cli.Flags, args []string, method, path, what string) error {
	return change(ctx, p, f, args, call{find: userRecord, method: method, path: path, ask: p.Ask(f), asks: what})
}

// changeUser runs a verb that makes one call about one user. more returns query and body.
func changeUser(ctx context.Context, p *cli.Program, f cli.Flags, args []string, method, path string, more func() (url.Values, any, error)) error {
	return change(ctx, p, f, args, call{find: userRecord, method: method, path: path, more: more})
}

func userRecord(ctx context.Context, d *connection, who string) (record, error) {
	u, err := d.user(ctx, who)
	return record{"/users/" + string(u.ID), fmt.Sprintf("user %q", who), "user " + userLabel(u)}, err
}

// userLabel returns a name of a user and their ID.
func userLabel(u admin.User) string {
	if len(u.Names) == 0 {
		return string(u.ID)
	}
	return cli.Printable(u.Names[0].Value) + " (" + string(u.ID) + ")"
}

func userDisable(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user disable", "refuse a user's logins", "USER [flags]",
		"Pending logins, sessions, codes and all tokens of the user end immediately.")
	return changeUser(ctx, p, f, args, "POST", "/disable", nil)
}

func userEnable(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user enable", "accept the logins of a disabled or pending user", "USER [flags]", "Sessions and tokens that have ended do not return.")
	return changeUser(ctx, p, f, args, "POST", "/enable", nil)
}

func userDelete(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user delete", "delete a user", "USER [flags]",
		"Names, factors, sessions, tokens and consents are deleted too. The audit trail is kept.")
	return removeFromUser(ctx, p, f, args, "DELETE", "", "delete ")
}

func userUnlock(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user unlock", "clear a user's failed attempts, and enable the factors that these locked", "USER [flags]")
	return changeUser(ctx, p, f, args, "POST", "/unlock", nil)
}

func userResetCounters(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user reset-counters", "accept codes of authenticator apps again after the server's clock was ahead", "USER [flags]",
		"Only counters that are ahead of the clock change: to the present step, so that what was\n"+
			"accepted up to now stays used. Correct the clock first.")
	return changeUser(ctx, p, f, args, "POST", "/reset-counters", nil)
}

func userResetFactors(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user reset-factors", "delete everything that authenticates a user except the password", "USER [flags]",
		"Pending logins, sessions, codes and all tokens of the user end immediately. Where a second\n"+
			"factor is required, the next login asks for the password and then enrolls a new factor. That\n"+
			"needs the code that this command prints, or one that the server mails to an address which\n"+
			"was verified before: a stolen password alone enrolls nothing.")
	return removeFromUser(ctx, p, f, args, "POST", "/reset-factors", "delete the second factors and recovery codes of ")
}

func userSetPassword(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user set-password", "set a user's password, read from standard input or a file", "USER [flags]",
		"Pending logins, sessions, codes and all tokens of the user end immediately.")
	file := f.String("password-file", "-", "`file` with the password, one line; - is standard input")
	return changeUser(ctx, p, f, args, "POST", "/password", func() (url.Values, any, error) {
		plain, err := readPassword(p, *file)
		return nil, map[string]string{"password": plain}, err
	})
}

func userFreeUsername(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user free-username", "let anybody have a user name that its user gave up", "NAME [flags]",
		"A user name that its user changed is kept for that user for a time (usernames.keep): others get\n"+
			"\"taken\" meanwhile, also administrators. user show prints the names kept for a user.")
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	name := f.Arg(0)
	var done admin.Done
	if err := d.Call(ctx, "DELETE", "/retired-usernames", url.Values{"name": {name}}, nil, &done); err != nil {
		return withSubject(err, fmt.Sprintf("user name %q", name))
	}
	return d.printDone(done, fmt.Sprintf("user name %s of user %s", cli.Printable(name), done.User))
}

func userCreate(ctx context.Context, p *cli.Program, args []string) error {
	body := map[string]any{}
	var file string
	var pending bool
	f := p.Flags("user create", "create a user; one of the three names is required", "[flags]",
		"For profiles, factors, recovery codes and password hashes use a desired-state file: sallyport apply.")
	text := func(key string) func(string) error {
		return func(value string) error { body[key] = value; return nil }
	}
	verified := func(key string) func(string) error {
		return func(value string) error {
			yes, err := strconv.ParseBool(value)
			body[key] = yes
			return err
		}
	}
	f.Func("id", "`id` of the user, in the form 8-4-4-4-12; default: a new one", text("id"))
	f.Func("username", "`name` without spaces and @", text("username"))
	f.Func("email", "e-mail `address`", text("email"))
	f.BoolFunc("email-verified", "the address is verified", verified("email_verified"))
	f.Func("phone", "`number` in international form, +4915112345678", text("phone_number"))
	f.BoolFunc("phone-verified", "the number is verified", verified("phone_number_verified"))
	f.StringVar(&file, "password-file", "", "`file` with the password, one line; - is standard input; default: no password yet")
	f.BoolVar(&pending, "pending", false, "the user becomes active when they first prove a factor")
	d, err := connect(ctx, p, f, args, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	if pending {
		body["status"] = storage.UserPending
	}
	if file != "" {
		if body["password"], err = readPassword(p, file); err != nil {
			return err
		}
	}
	var done admin.Done
	if err := d.Call(ctx, "POST", "/users", nil, body, &done); err != nil {
		return withSubjectEach(err, "user create")
	}
	name := ""
	for _, key := range []string{"username", "email", "phone_number"} {
		if given, ok := body[key].(string); ok && name == "" {
			name = given
		}
	}
	return d.printDone(done, fmt.Sprintf("user %s (%s)", name, done.User))
}

// readPassword reads a password from a file or from standard input: never from an argument,
// which every process of the machine can see, nor from a terminal, which would show it.
func readPassword(p *cli.Program, file string) (string, error) {
	in := p.In
	if file == "-" {
		if f, ok := in.(*os.File); ok && isTerminal(f) {
			return "", cli.UsageError("the terminal would show the password: pipe it in, or name its file with --password-file")
		}
	} else {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		defer f.Close()
		in = f
	}
	if in == nil {
		in = strings.NewReader("")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPasswordInput))
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	plain, err := input.Line(text)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return plain, nil
}
