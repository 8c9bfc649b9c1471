// Command sallyport is an OpenID Connect provider with a second factor built in.
//
// The program knows every room and is the only one that does: it reads the settings,
// builds the rooms on top of each other (wire.go), serves them and takes them down.
// The clock and the source of randomness enter here and nowhere else.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"sallyport/cmd/sallyport/cli"
)

func commands() []cli.Command {
	return []cli.Command{
		{Name: "dev", Args: "[flags]", About: "a complete server with test users, a demo application and a virtual phone", Run: devCommand},
		{Name: "serve", Args: "--config FILE", About: "the server", Run: serveCommand},
		{Name: "migrate", Args: "[VERB] --config FILE", About: "up (or nothing), status, plan, down: the database's schema", Run: migrateCommand},
		{Name: "backup", Args: "--config FILE COPY", About: "copy a SQLite database while servers serve", Run: backupCommand},
		{Name: "apply", Args: "--config FILE STATE", About: "make the clients, users and API keys of a desired-state file", Run: applyCommand},
		{Name: "user", Args: "VERB --config FILE", About: "users: list, show, create, disable, delete, unlock, passwords, factors", Run: userCommand},
		{Name: "client", Args: "VERB --config FILE", About: "clients: list, show, delete, rotate secrets", Run: clientCommand},
		{Name: "session", Args: "VERB --config FILE", About: "sessions of a user: list, end", Run: sessionCommand},
		{Name: "apikey", Args: "VERB --config FILE", About: "keys of backends: list, show, create, disable, delete, rotate secrets", Run: apiKeyCommand},
		{Name: "events", Args: "--config FILE", About: "ask the audit trail", Run: eventsCommand},
		{Name: "config", Args: "check|print|reference", About: "look for faults in the settings, show those in force, or all there are", Run: configCommand},
		{Name: "keys", Args: "VERB --config FILE", About: "list, rotate, retire or reseal the server's own keys", Run: keysCommand},
		{Name: "keyfile", Args: "FILE", About: "make a new key file; never replaces one", Run: keyfileCommand},
		{Name: "adminkey", Args: "FILE", About: "make a new key of the admin API; never replaces one", Run: adminkeyCommand},
		{Name: "health", Args: "[--url URL]", About: "ask a running server whether it is ready; exit code 1 if not", Run: healthCommand},
		{Name: "version", Args: "[-v]", About: "print what this is, from which commit, with which modules", Run: versionCommand},
	}
}

func main() {
	if os.Getenv("GOGC") == "" {
		// Half the work of collecting for a few MiB more: measured, docs/performance.md.
		debug.SetGCPercent(200)
	}
	// The first signal starts the graceful stop; the second one ends the process at
	// once, because by then nobody catches it any more.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	p := &cli.Program{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Now: time.Now, Random: rand.Reader, Colour: terminal(os.Stdout)}
	os.Exit(p.Main(ctx, commands(), os.Args[1:]))
}

// terminal reports whether a file is a terminal on which colours are wanted.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
