package dev

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"sallyport/cmd/sallyport/server"
	"sallyport/mfa"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/web/admin"
)

// writeDetails writes what the greeting has no room for: further addresses, secrets, commands
// to copy, recovery codes, and a code to scan.
func writeDetails(ctx context.Context, w io.Writer, srv *server.Server, at place, folder *folder, s secrets, colour bool) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("\n  Own login screen   %s/own-login/", at.demo())
	line("  Discovery          %s/.well-known/openid-configuration", at.issuer())
	line("  API documents      %s/docs/api", at.issuer())
	line("  Admin API          %s%s", at.admin(), admin.Base)
	line("  Its key            %s", folder.path("admin-key"))
	line("  Messages           %s", folder.path(outboxName))
	if !at.exposed {
		line("                     %s/outbox.json", at.demo())
	}
	line("  Log                %s\n", folder.path("server.log"))
	if at.exposed {
		writeAddress(w, at, folder, colour)
	}
	line("  Client   Kind                              Secret")
	line("  spa      public, a password is enough      -")
	line("  bank     public, always a second factor    -")
	line("  native   public, any loopback port         -")
	line("  front    public, own login page            -")
	line("  vault    the same, always two factors      -")
	line("  web      confidential, asks for consent    %s", s.Web)
	line("  tv       public, a device without browser  -")
	line("  till     confidential, asks its user       %s", s.Web)
	line("  m2m      client credentials                %s\n", s.M2M)
	line("  A token for a machine:")
	line("    curl%s -u m2m:%s \\\n      -d grant_type=client_credentials %s/token", insecure(at), s.M2M, at.issuer())
	line("  Manage users while it runs, from another terminal:")
	line("    go run ./cmd/sallyport user list --server %s \\\n      --admin-key-file %s\n", at.admin(), folder.path("admin-key"))
	line("  Recovery codes of alice, each valid once:")
	for i := 0; i+1 < len(s.Alice.RecoveryCodes); i += 2 {
		line("    %s   %s", s.Alice.RecoveryCodes[i], s.Alice.RecoveryCodes[i+1])
	}
	if code := aliceCode(ctx, srv, colour); code != "" {
		line("\n  Scan with an authenticator app, and your own phone shows alice's codes:\n")
		fmt.Fprint(w, code)
	}
}

// writeAddress draws the address of the demo, so that a phone need not type it. The phone gets the root past
// a warning, and so perhaps from somebody else in the network, whose root could imitate every host: its
// fingerprint tells.
func writeAddress(w io.Writer, at place, folder *folder, colour bool) {
	if code, err := qrText(at.demo(), colour); err == nil {
		fmt.Fprintf(w, "  Scan to open the demo on your phone:\n\n%s\n", indent(code))
	}
	if root := folder.authority(); root != nil {
		sum := sha256.Sum256(root)
		fmt.Fprintf(w, "  SHA-256 fingerprint of %s:\n    % X\n    % X\n\n", rootPath, sum[:16], sum[16:])
	}
}

func insecure(at place) string {
	if at.secure {
		return " -k"
	}
	return ""
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
		handout, err := srv.TOTP.Handout(a, mfa.Holder{Label: "alice@example.com"})
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
