package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/storage"
	"sallyport/web/admin"
)

// passwordMost bounds what is read where a password is expected.
const passwordMost = 4096

// changeUser plays a verb that does one thing to one user: a call below the user's address.
func changeUser(ctx context.Context, p *cli.Program, f cli.Flags, args []string, method, path string, more func() (url.Values, any, error)) error {
	d, err := connect(ctx, p, f, args, 1)
	if err != nil {
		return err
	}
	defer d.Close()
	u, err := d.user(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	var query url.Values
	var body any
	if more != nil {
		if query, body, err = more(); err != nil {
			return withSubject(err, fmt.Sprintf("user %q", f.Arg(0)))
		}
	}
	var done admin.Done
	if err := d.Call(ctx, method, "/users/"+string(u.ID)+path, query, body, &done); err != nil {
		return withSubject(err, fmt.Sprintf("user %q", f.Arg(0)))
	}
	return d.printDone(done, "user "+firstName(u)+" ("+string(u.ID)+")")
}

// firstName is the name a user is told by.
func firstName(u admin.User) string {
	if len(u.Names) == 0 {
		return string(u.ID)
	}
	return u.Names[0].Value
}

func userDisable(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user disable", "keep a user out", "USER [flags]",
		"In the same moment logins under way, sessions, codes and all tokens of the user end.")
	return changeUser(ctx, p, f, args, "POST", "/disable", nil)
}

func userEnable(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user enable", "let a disabled or pending user in", "USER [flags]", "Nothing that ended comes back.")
	return changeUser(ctx, p, f, args, "POST", "/enable", nil)
}

func userDelete(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user delete", "remove a user for good", "USER [flags]",
		"Names, factors, sessions, tokens and consents go too. The audit trail stays.")
	return changeUser(ctx, p, f, args, "DELETE", "", nil)
}

func userUnlock(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user unlock", "forget a user's failures, and switch on the factors they switched off", "USER [flags]")
	return changeUser(ctx, p, f, args, "POST", "/unlock", nil)
}

func userResetFactors(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user reset-factors", "take everything away that proves a user, the password excepted", "USER [flags]",
		"In the same moment logins under way, sessions, codes and all tokens of the user end. Where a\n"+
			"second factor is wanted, the next login asks for the password and then for a new one.")
	return changeUser(ctx, p, f, args, "POST", "/reset-factors", nil)
}

func userSetPassword(ctx context.Context, p *cli.Program, args []string) error {
	f := p.Flags("user set-password", "give a user another password, read from standard input or a file", "USER [flags]",
		"In the same moment logins under way, sessions, codes and all tokens of the user end.")
	file := f.String("password-file", "-", "`file` that holds the password, one line; - is standard input")
	return changeUser(ctx, p, f, args, "POST", "/password", func() (url.Values, any, error) {
		plain, err := readPassword(p, *file)
		return nil, map[string]string{"password": plain}, err
	})
}

func userCreate(ctx context.Context, p *cli.Program, args []string) error {
	body := map[string]any{}
	var file string
	var pending bool
	f := p.Flags("user create", "make a user; one of the three names is required", "[flags]",
		"Profiles, factors, recovery codes and hashes come with a desired-state file: sallyport apply.")
	given := func(key string) func(string) error {
		return func(value string) error { body[key] = value; return nil }
	}
	proven := func(key string) func(string) error {
		return func(value string) error {
			yes, err := strconv.ParseBool(value)
			body[key] = yes
			return err
		}
	}
	f.Func("id", "`id` to take over, layout 8-4-4-4-12; left out: made", given("id"))
	f.Func("username", "`name` without spaces and @", given("username"))
	f.Func("email", "e-mail `address`", given("email"))
	f.BoolFunc("email-verified", "the address was proven", proven("email_verified"))
	f.Func("phone", "`number` in international form, +4915112345678", given("phone_number"))
	f.BoolFunc("phone-verified", "the number was proven", proven("phone_number_verified"))
	f.StringVar(&file, "password-file", "", "`file` that holds the password, one line; - is standard input; left out: none yet")
	f.BoolVar(&pending, "pending", false, "the user becomes active with the first proof")
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
	return d.printDone(done, "user "+string(done.User))
}

// password reads a password: never from an argument, which every process of the
// machine can see, and not from a terminal, which would show it.
func readPassword(p *cli.Program, file string) (string, error) {
	in := p.In
	if file == "-" {
		if f, ok := in.(*os.File); ok && terminal(f) {
			return "", cli.UsageError("the password would show on the screen: pipe it in, or name its file with --password-file")
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
	text, err := io.ReadAll(io.LimitReader(in, passwordMost))
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	plain := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if plain == "" || strings.Contains(plain, "\n") {
		return "", errors.New("read password: want exactly one line")
	}
	return plain, nil
}
