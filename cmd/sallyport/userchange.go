package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sallyport/mfa"
	"sallyport/storage"
)

// passwordMost bounds what is read where a password is expected.
const passwordMost = 4096

// changeUser plays a verb that does one thing to one user.
func (p *program) changeUser(ctx context.Context, f flags, args []string, done string,
	do func(context.Context, *desk, storage.Account) error) error {
	d, err := p.desk(ctx, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	a, err := d.account(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	if err := do(ctx, d, a); err != nil {
		var usage usageError
		if errors.As(err, &usage) {
			return err
		}
		return refusal(err, fmt.Sprintf("user %q", f.Arg(0)))
	}
	return d.did(did{User: a.User.ID, Done: done}, "user "+nameOf(a)+" ("+string(a.User.ID)+")")
}

func userDisable(ctx context.Context, p *program, args []string) error {
	f := p.flags("user disable", "keep a user out", "USER [flags]",
		"In the same moment logins under way, sessions, codes and all tokens of the user end.")
	return p.changeUser(ctx, f, args, "disabled", func(ctx context.Context, d *desk, a storage.Account) error {
		return d.users.Disable(ctx, d.visit, a)
	})
}

func userEnable(ctx context.Context, p *program, args []string) error {
	f := p.flags("user enable", "let a disabled or pending user in", "USER [flags]", "Nothing that ended comes back.")
	return p.changeUser(ctx, f, args, "enabled", func(ctx context.Context, d *desk, a storage.Account) error {
		return d.users.Enable(ctx, d.visit, a)
	})
}

func userDelete(ctx context.Context, p *program, args []string) error {
	f := p.flags("user delete", "remove a user for good", "USER [flags]",
		"Names, factors, sessions, tokens and consents go too. The audit trail stays.")
	return p.changeUser(ctx, f, args, "deleted", func(ctx context.Context, d *desk, a storage.Account) error {
		return d.users.Delete(ctx, d.visit, a)
	})
}

func userUnlock(ctx context.Context, p *program, args []string) error {
	f := p.flags("user unlock", "forget a user's failures, and switch on the factors they switched off", "USER [flags]")
	return p.changeUser(ctx, f, args, "unlocked", func(ctx context.Context, d *desk, a storage.Account) error {
		return d.users.Unlock(ctx, d.visit, a)
	})
}

func userResetFactors(ctx context.Context, p *program, args []string) error {
	f := p.flags("user reset-factors", "take everything away that proves a user, the password excepted", "USER [flags]",
		"In the same moment logins under way, sessions, codes and all tokens of the user end. Where a\n"+
			"second factor is wanted, the next login asks for the password and then for a new one.")
	return p.changeUser(ctx, f, args, "second factors taken away, everything under way ended", func(ctx context.Context, d *desk, a storage.Account) error {
		return d.users.ResetFactors(ctx, d.visit, a)
	})
}

func userSetPassword(ctx context.Context, p *program, args []string) error {
	f := p.flags("user set-password", "give a user another password, read from standard input or a file", "USER [flags]",
		"In the same moment logins under way, sessions, codes and all tokens of the user end.")
	file := f.String("password-file", "-", "`file` that holds the password, one line; - is standard input")
	return p.changeUser(ctx, f, args, "has another password, everything under way ended", func(ctx context.Context, d *desk, a storage.Account) error {
		plain, err := p.password(*file)
		if err != nil {
			return err
		}
		return d.users.SetPassword(ctx, d.visit, a, plain)
	})
}

func userCreate(ctx context.Context, p *program, args []string) error {
	var n mfa.Draft
	var id, file string
	var pending bool
	f := p.flags("user create", "make a user; one of the three names is required", "[flags]",
		"Profiles, factors, recovery codes and hashes come with a desired-state file: sallyport apply.")
	f.StringVar(&id, "id", "", "`id` to take over, layout 8-4-4-4-12; left out: made")
	f.StringVar(&n.Username, "username", "", "`name` without spaces and @")
	f.StringVar(&n.Email, "email", "", "e-mail `address`")
	f.BoolVar(&n.EmailVerified, "email-verified", false, "the address was proven")
	f.StringVar(&n.Phone, "phone", "", "`number` in international form, +4915112345678")
	f.BoolVar(&n.PhoneVerified, "phone-verified", false, "the number was proven")
	f.StringVar(&file, "password-file", "", "`file` that holds the password, one line; - is standard input; left out: none yet")
	f.BoolVar(&pending, "pending", false, "the user becomes active with the first proof")
	d, err := p.desk(ctx, f, args, 0)
	if err != nil {
		return err
	}
	defer d.close()
	n.ID = storage.UserID(id)
	if pending {
		n.Status = storage.UserPending
	}
	if file != "" {
		if n.Password, err = p.password(file); err != nil {
			return err
		}
	}
	var lines []string
	for _, x := range d.users.Faults(n) {
		lines = append(lines, "user create: "+x.Field+": "+faultText(x.Err))
	}
	if len(lines) > 0 {
		return errors.New(strings.Join(lines, "\n"))
	}
	u, err := d.users.Create(ctx, d.visit, n)
	if err != nil {
		return refusal(err, "user create")
	}
	return d.did(did{User: u.ID, Done: "created"}, "user "+string(u.ID))
}

// password reads a password: never from an argument, which every process of the
// machine can see, and not from a terminal, which would show it.
func (p *program) password(file string) (string, error) {
	in := p.in
	if file == "-" {
		if f, ok := in.(*os.File); ok && terminal(f) {
			return "", usageError{"the password would show on the screen: pipe it in, or name its file with --password-file"}
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
