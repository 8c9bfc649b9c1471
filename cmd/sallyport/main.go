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
)

func commands() []command {
	return []command{
		{name: "dev", args: "[flags]", about: "a complete server with test users, a demo application and a virtual phone", run: dev},
		{name: "serve", args: "--config FILE", about: "the server", run: serve},
		{name: "migrate", args: "[VERB] --config FILE", about: "up (or nothing), status, plan, down: the database's schema", run: migrate},
		{name: "backup", args: "--config FILE COPY", about: "copy a SQLite database while servers serve", run: backup},
		{name: "apply", args: "--config FILE STATE", about: "make the clients, users and API keys of a desired-state file", run: applyState},
		{name: "user", args: "VERB --config FILE", about: "users: list, show, create, disable, delete, unlock, passwords, factors", run: userCommand},
		{name: "client", args: "VERB --config FILE", about: "clients: list, show, delete, rotate secrets", run: clientCommand},
		{name: "session", args: "VERB --config FILE", about: "sessions of a user: list, end", run: sessionCommand},
		{name: "apikey", args: "VERB --config FILE", about: "keys of backends: list, show, create, disable, delete, rotate secrets", run: apiKeyCommand},
		{name: "events", args: "--config FILE", about: "ask the audit trail", run: eventsCommand},
		{name: "config", args: "check|print|reference", about: "look for faults in the settings, show those in force, or all there are", run: configCommand},
		{name: "keys", args: "VERB --config FILE", about: "list, rotate, retire or reseal the server's own keys", run: keys},
		{name: "keyfile", args: "FILE", about: "make a new key file; never replaces one", run: keyfile},
		{name: "adminkey", args: "FILE", about: "make a new key of the admin API; never replaces one", run: adminkey},
		{name: "health", args: "[--url URL]", about: "ask a running server whether it is ready; exit code 1 if not", run: healthCommand},
		{name: "version", args: "[-v]", about: "print what this is, from which commit, with which modules", run: version},
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
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), now: time.Now, random: rand.Reader, colour: terminal(os.Stdout)}
	os.Exit(p.main(ctx, commands(), os.Args[1:]))
}

// terminal reports whether a file is a terminal on which colours are wanted.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
