package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
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

// usageError is a mistake on the command line.
type usageError string

func (e usageError) Error() string { return string(e) }

func (p *program) main(ctx context.Context, commands []command, args []string) int {
	if len(args) == 0 {
		p.help(p.err, commands)
		return exitUsage
	}
	name, args := args[0], args[1:]
	if name == "help" || name == "-h" || name == "-help" || name == "--help" {
		if name != "help" || len(args) == 0 {
			p.help(p.out, commands)
			return exitOK
		}
		name, args = args[0], append(args[1:], "-h") // "help user create"
	}
	if name == "-version" || name == "--version" {
		name = "version"
	}
	for _, c := range commands {
		if c.name == name {
			return p.code(c.run(ctx, p, args))
		}
	}
	return p.code(usageError(fmt.Sprintf("there is no command %q; \"sallyport help\" lists them", name)))
}

// code prints an error in full, one line a fault, and says how to exit.
func (p *program) code(err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(p.err, "sallyport:", string(usage))
		return exitUsage
	}
	fmt.Fprintln(p.err, "sallyport:", err)
	return exitFailed
}

func (p *program) help(w io.Writer, commands []command) {
	fmt.Fprint(w, "Sallyport is an OpenID Connect provider with a second factor built in.\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  sallyport %-8s %-22s %s\n", c.name, c.args, c.about)
	}
	fmt.Fprintf(w, "  sallyport %-8s %-22s %s\n\n", "help", "[COMMAND]", "this text, or what a command can do and which flags it has")
	fmt.Fprint(w, `Settings come from the file that --config or SALLYPORT_CONFIG names, then from
variables that begin with SALLYPORT_. "sallyport config reference" lists them all.

Exit codes: 0 done, 1 something went wrong, 2 the command line makes no sense.

To try it: sallyport dev
`)
}

func (p *program) variable(name string) string {
	for _, pair := range p.environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}
