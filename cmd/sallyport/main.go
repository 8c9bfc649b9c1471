// Command sallyport is an OpenID Connect provider with a second factor built in.
//
// The program knows every room and is the only one that does: it reads the settings,
// builds the rooms on top of each other (wire.go), serves them and takes them down.
// The clock and the source of randomness enter here and nowhere else.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// Exit codes: 0 done, 1 it went wrong, 2 the command line makes no sense.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// program is what a command gets from the world outside.
type program struct {
	in       io.Reader // nil: nothing
	out, err io.Writer
	environ  []string
	now      func() time.Time
	random   io.Reader // safe for parallel use
	colour   bool      // out is a terminal that shows colours
}

// command is one verb of the command line.
type command struct {
	name, args, about string
	run               func(ctx context.Context, p *program, args []string) error
}

func commands() []command {
	return []command{
		{"dev", "[flags]", "a complete server with test users, a demo application and a virtual phone", dev},
		{"serve", "--config FILE", "the server", serve},
		{"migrate", "[VERB] --config FILE", "up (or nothing), status, plan, down: the database's schema", migrate},
		{"backup", "--config FILE COPY", "copy a SQLite database while servers serve", backup},
		{"apply", "--config FILE STATE", "make the clients, users and API keys of a desired-state file", applyState},
		{"user", "VERB --config FILE", "users: list, show, create, disable, delete, unlock, passwords, factors", userCommand},
		{"client", "VERB --config FILE", "clients: list, show, delete, rotate secrets", clientCommand},
		{"session", "VERB --config FILE", "sessions of a user: list, end", sessionCommand},
		{"apikey", "VERB --config FILE", "keys of backends: list, show, create, disable, delete, rotate secrets", apiKeyCommand},
		{"events", "--config FILE", "ask the audit trail", eventsCommand},
		{"config", "check|print|reference", "look for faults in the settings, show those in force, or all there are", configCommand},
		{"keys", "VERB --config FILE", "list, rotate, retire or reseal the server's own keys", keys},
		{"keyfile", "FILE", "make a new key file; never replaces one", keyfile},
		{"adminkey", "FILE", "make a new key of the admin API; never replaces one", adminkey},
		{"health", "[--url URL]", "ask a running server whether it is ready; exit code 1 if not", healthCommand},
		{"version", "[-v]", "print what this is, from which commit, with which modules", version},
	}
}

// usageError is a mistake on the command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

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
	os.Exit(p.main(ctx, os.Args[1:]))
}

// terminal reports whether a file is a terminal on which colours are wanted.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func (p *program) main(ctx context.Context, args []string) int {
	if len(args) == 0 {
		p.help(p.err)
		return exitUsage
	}
	name, args := args[0], args[1:]
	if name == "help" || name == "-h" || name == "-help" || name == "--help" {
		if name != "help" || len(args) == 0 {
			p.help(p.out)
			return exitOK
		}
		name, args = args[0], append(args[1:], "-h") // "help user create"
	}
	if name == "-version" || name == "--version" {
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return p.code(c.run(ctx, p, args))
		}
	}
	return p.code(usageError{fmt.Sprintf("there is no command %q; \"sallyport help\" lists them", name)})
}

// code prints an error in full, one line a fault, and says how to exit.
func (p *program) code(err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(p.err, "sallyport:", usage.text)
		return exitUsage
	}
	fmt.Fprintln(p.err, "sallyport:", err)
	return exitFailed
}

func (p *program) help(w io.Writer) {
	fmt.Fprint(w, "Sallyport is an OpenID Connect provider with a second factor built in.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  sallyport %-8s %-22s %s\n", c.name, c.args, c.about)
	}
	fmt.Fprintf(w, "  sallyport %-8s %-22s %s\n\n", "help", "[COMMAND]", "this text, or what a command can do and which flags it has")
	fmt.Fprint(w, `Settings come from the file that --config or SALLYPORT_CONFIG names, then from
variables that begin with SALLYPORT_. "sallyport config reference" lists them all.

Exit codes: 0 done, 1 something went wrong, 2 the command line makes no sense.

To try it: sallyport dev
`)
}

// flags are the flags of a command; help prints them.
type flags struct {
	*flag.FlagSet
	help func()
}

// flags returns the flags of a command. more is what help says besides: the arguments
// first, then any notes.
func (p *program) flags(name, about string, more ...string) flags {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {} // the package calls it for mistakes too, which get one line from us
	return flags{f, func() {
		fmt.Fprintf(p.out, "sallyport %s: %s\n\n", name, about)
		for i, note := range more {
			if i == 0 {
				note = "Usage: sallyport " + name + " " + note
			}
			fmt.Fprintf(p.out, "%s\n\n", note)
		}
		f.SetOutput(p.out)
		f.PrintDefaults()
	}}
}

// parse reads flags and demands exactly the given number of further arguments; of a
// negative number any.
func (f flags) parse(args []string, rest int) error {
	err := f.Parse(f.ordered(args))
	if errors.Is(err, flag.ErrHelp) {
		f.help()
		return err
	}
	if err != nil {
		return usageError{f.Name() + ": " + err.Error()}
	}
	if rest >= 0 && f.NArg() != rest {
		return usageError{fmt.Sprintf("%s: %d arguments, want %d; see sallyport %s -h", f.Name(), f.NArg(), rest, f.Name())}
	}
	return nil
}
