// Command sallyport is an OpenID Connect provider with a second factor built in.
//
// A file holds a command, and little more than its flags and its output: the packages below
// do the work. The clock and the source of randomness enter here and nowhere else.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // zones of profiles, where the system has none

	"sallyport/cmd/sallyport/cli"
)

// commands are all commands, in the order of the help.
func commands() []cli.Command {
	return []cli.Command{
		{Name: "dev", Args: "[flags]", About: "a complete server with test users, a demo application and a virtual phone", Run: devCommand},
		{Name: "serve", Args: "--config FILE", About: "the server", Run: serveCommand},
		{Name: "migrate", Args: "[VERB] --config FILE", About: "the database's schema: up (the default), status, plan, down", Run: migrateCommand},
		{Name: "backup", Args: "--config FILE COPY", About: "copy a SQLite database while servers serve", Run: backupCommand},
		{Name: "apply", Args: "--config FILE STATE", About: "create and change the clients, users and API keys of a desired-state file", Run: applyCommand},
		{Name: "user", Args: "VERB --config FILE", About: "users: list, show, create, disable, enable, delete, unlock, set passwords, reset counters and factors", Run: userCommand},
		{Name: "registration-token", Args: "VERB --config FILE", About: "tokens with which programs register as clients: create, list, revoke", Run: registrationTokenCommand},
		{Name: "invitation", Args: "VERB --config FILE", About: "invitations: create, list, show, resend, revoke", Run: invitationCommand},
		{Name: "client", Args: "VERB --config FILE", About: "clients: list, show, delete, rotate secrets", Run: clientCommand},
		{Name: "session", Args: "VERB --config FILE", About: "sessions of a user: list, end", Run: sessionCommand},
		{Name: "apikey", Args: "VERB --config FILE", About: "API keys of backends: list, show, create, disable, enable, delete, rotate secrets", Run: apiKeyCommand},
		{Name: "messages", Args: "VERB --config FILE", About: "mails and text messages that the server sends: list, show, resend, drop", Run: messagesCommand},
		{Name: "waits", Args: "VERB --config FILE", About: "waits after failures, of a user, a name, an address or a client: list, lift", Run: waitsCommand},
		{Name: "events", Args: "--config FILE", About: "search the audit trail", Run: eventsCommand},
		{Name: "explain", Args: "--config FILE NUMBER", About: "tell what happened in the login of a support number", Run: explainCommand},
		{Name: "config", Args: "check|print|reference", About: "check the settings, print those in effect, or describe all there are", Run: configCommand},
		{Name: "keys", Args: "VERB --config FILE", About: "list, rotate, retire or reseal the server's own keys", Run: keysCommand},
		{Name: "keyfile", Args: "FILE", About: "create a key file; never replaces one", Run: keyfileCommand},
		{Name: "adminkey", Args: "FILE", About: "create a key of the admin API; never replaces one", Run: adminkeyCommand},
		{Name: "health", Args: "[--url URL]", About: "check that a running server is ready; exit code 1 if not", Run: healthCommand},
		{Name: "version", Args: "[-v]", About: "print the version, the commit and the modules of this binary", Run: versionCommand},
	}
}

func main() {
	if os.Getenv("GOGC") == "" {
		// This halves the work of the garbage collector for a few MiB (docs/performance.md).
		debug.SetGCPercent(200)
	}
	// The first signal starts the graceful stop. The second one ends the process, because by
	// then it is no longer caught.
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		stop()
	}()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	p := &cli.Program{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Now: time.Now, Random: rand.Reader, Colour: colours(os.Stdout), Terminal: isTerminal(os.Stdin), Hangup: hangup}
	os.Exit(p.Main(ctx, commands(), os.Args[1:]))
}

// colours reports whether f is a terminal that shows colours.
func colours(f *os.File) bool {
	return isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
