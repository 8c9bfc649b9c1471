package dev

import (
	"fmt"
	"io"
	"strings"
)

// width is that of the narrowest terminal that the greeting fits.
const width = 80

// tour is what to try first. README.md has the same steps.
func tour(at place, folder *folder) []string {
	steps := []string{
		"Open " + at.demo() + " and sign in to Meridian Notes as alice.",
		"Unlock the private note with the code on the virtual phone.",
		"Open Meridian Bank: it asks for nothing. Sign out.",
		"Sign in to Meridian Bank as bob, who has to set up a second factor.",
	}
	switch {
	case at.passkeys() && at.exposed && folder.authority() != nil:
		steps = append(steps, "On a phone: trust "+at.demo()+rootPath+", then add a passkey.")
	case at.passkeys():
		steps = append(steps, "Add a passkey on the account page; sign in to Meridian Bank with it alone.")
	}
	return steps
}

// writeGreeting writes what a user needs to begin, on a screen of 24 lines: addresses, users,
// clients, and first steps.
func writeGreeting(w io.Writer, at place, folder *folder, s secrets, own ownState, colour bool) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("\n  Sallyport development server")
	if at.exposed {
		warn(w, at, colour)
	} else {
		line("")
	}
	line("  Demo           %s", at.demo())
	line("  Virtual phone  %s/phone   (authenticator codes)", at.demo())
	line("  Messages       %s", messagesAt(at, folder))
	line("  Account page   %s/account", at.issuer())
	line("  Issuer         %s\n", at.issuer())
	line("  alice          %-27s   second factor: virtual phone", s.Alice.Password)
	line("  bob            %-27s   second factor: none yet", s.Bob.Password)
	line("  Clients        %s", list(own.builtIn))
	if own.given {
		line("  From --state   %s", list(own.added))
	}
	if len(own.replaced) > 0 {
		line("  Replaces       built-in %s", list(own.replaced))
	}
	line("")
	for i, step := range tour(at, folder) {
		line("  %d. %s", i+1, step)
	}
	line("\n  --details prints more: secrets, recovery codes, addresses, a QR code.")
	line("  Ctrl-C stops it. The data stays in %s; --reset deletes it.", folder.dir)
}

// list joins names into what fits a line, and counts those that do not.
func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	const room = width - len("  Replaces       built-in ")
	out := strings.Join(names, ", ")
	for shown := len(names) - 1; len([]rune(out)) > room && shown >= 0; shown-- {
		out = strings.TrimPrefix(fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown), " and ")
	}
	return out
}

// messagesAt returns where the mails and text messages of the server arrive.
func messagesAt(at place, folder *folder) string {
	if at.exposed {
		return folder.path(outboxName)
	}
	return at.demo() + "/outbox   (mails, text messages)"
}

// warn prints what --host means.
func warn(w io.Writer, at place, colour bool) {
	on, off := "", ""
	if colour {
		on, off = "\x1b[1;97;41m", "\x1b[0m"
	}
	for _, text := range []string{
		fmt.Sprintf("ANYONE IN YOUR NETWORK CAN REACH IT on %s, and the demo", at.bind),
		"shows them passwords and codes of all test users. Use no real data.",
	} {
		fmt.Fprintf(w, "  %s  %-72s%s\n", on, text, off)
	}
}
