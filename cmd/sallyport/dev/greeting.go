package dev

import (
	"context"
	"fmt"
	"strings"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/web/admin"
)

// printGreeting prints everything needed to try the server: addresses, users, clients, a code
// to scan, and first steps.
func printGreeting(ctx context.Context, p *cli.Program, srv *server.Server, at place, folder *folder, s secrets) {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("\n  Sallyport development server\n")
	line("  Demo application   %s", at.demo())
	line("  Own login screen   %s/own-login/", at.demo())
	line("  Virtual phone      %s/phone", at.demo())
	line("  Messages           %s", messagesAt(at, folder))
	line("  Provider           %s", at.issuer())
	line("  Discovery          %s/.well-known/openid-configuration", at.issuer())
	line("  API documents      %s/docs/api", at.issuer())
	line("  Admin API          %s%s   (its key: %s)", at.admin(), admin.Base, folder.path("admin-key"))
	line("  Data and log       %s   (--reset deletes it)\n", folder.dir)
	if at.exposed {
		warn(&b, at, p.Colour)
	}
	line("  User    Password                    Second factor")
	line("  alice   %-27s codes: the virtual phone, or scan below", s.Alice.Password)
	line("  bob     %-27s none yet; the bank lets him enrol one\n", s.Bob.Password)
	line("  Recovery codes of alice, each valid once:")
	for i := 0; i+1 < len(s.Alice.RecoveryCodes); i += 2 {
		line("    %s   %s", s.Alice.RecoveryCodes[i], s.Alice.RecoveryCodes[i+1])
	}
	line("\n  Client   Kind                                      Secret")
	line("  spa      public, a password is enough              -")
	line("  bank     public, always a second factor            -")
	line("  native   public, loopback redirect on any port     -")
	line("  front    public, own login page, passwordless      -")
	line("  vault    the same, always a second factor          -")
	line("  web      confidential, asks for consent            %s", s.Web)
	line("  m2m      client credentials                        %s\n", s.M2M)
	if code := aliceCode(ctx, srv, p.Colour); code != "" {
		line("  Scan with an authenticator app, and your own phone shows alice's codes:\n")
		b.WriteString(code)
	}
	line("\n  Try first:")
	line("   1. Open %s and sign in to Meridian Notes as bob: a password is enough.", at.demo())
	line("   2. Sign in to Meridian Bank as alice: the code is on the virtual phone.")
	line("   3. Back in Notes, unlock the private page: it requires the second factor.")
	line("   4. A token for a machine:")
	line("      curl%s -u m2m:%s -d grant_type=client_credentials %s/token", insecure(at), s.M2M, at.issuer())
	line("   5. Manage users while it runs, from another terminal (make build writes it to bin):")
	line("      sallyport user list --server %s --admin-key-file %s", at.admin(), folder.path("admin-key"))
	line("\n  Stop with Ctrl-C. The data is kept for the next start.\n")
	fmt.Fprint(p.Out, b.String())
}

// messagesAt returns where the mails and text messages of the server arrive.
func messagesAt(at place, folder *folder) string {
	file := folder.path(outboxName)
	if at.exposed {
		return file
	}
	return fmt.Sprintf("%s/outbox   (JSON: %[1]s/outbox.json, file: %s)", at.demo(), file)
}

func insecure(at place) string {
	if at.secure {
		return " -k"
	}
	return ""
}

// warn prints what --host means.
func warn(b *strings.Builder, at place, colour bool) {
	on, off := "", ""
	if colour {
		on, off = "\x1b[1;97;41m", "\x1b[0m"
	}
	for _, text := range []string{
		fmt.Sprintf("ANYONE IN YOUR NETWORK CAN REACH THIS SERVER on %s.", at.bind),
		"The demo application shows them all passwords, and the virtual phone",
		"all second factors, of every test user. Use no real data.",
	} {
		fmt.Fprintf(b, "  %s  %-72s%s\n", on, text, off)
	}
	b.WriteByte('\n')
}

// aliceCode draws the QR code of alice's authenticator, for a real phone.
func aliceCode(ctx context.Context, srv *server.Server, colour bool) string {
	account, err := srv.Users.Named(ctx, "alice")
	if err != nil {
		return ""
	}
	for _, a := range account.Authenticators {
		if a.Method != totp.Name || a.State != storage.AuthenticatorActive {
			continue
		}
		handout, err := srv.TOTP.Handout(a, "alice@example.com")
		if err != nil {
			return ""
		}
		code, err := qrText(handout.URI, colour)
		if err != nil {
			srv.Log.Warn("no QR code for the terminal", "error", err)
			return ""
		}
		return indent(code) + "\n  or type this key into the app: " + spaced(handout) + "\n"
	}
	return ""
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}

// spaced formats a secret in groups of four, as apps do.
func spaced(handout mfa.Handout) string {
	var b strings.Builder
	for i, c := range handout.Secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return b.String()
}
