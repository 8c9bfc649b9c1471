// Package cli runs a program of commands with verbs and flags: it parses their command
// lines, prints their help, reads their settings and formats what they print.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Exit codes of a program.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Program is what a command gets from outside.
type Program struct {
	In       io.Reader // nil: nothing
	Out, Err io.Writer
	Environ  []string
	Now      func() time.Time
	Random   io.Reader // safe for parallel use
	Colour   bool      // out is a terminal that shows colours
	Terminal bool      // in is a terminal, at which someone can answer a question

	shape *shape // not nil: commands describe themselves, and do not run
}

// Command is a command, or a verb of one.
type Command struct {
	Name, Args, About string
	Run               func(ctx context.Context, p *Program, args []string) error
}

// UsageError is a mistake on the command line.
type UsageError string

func (e UsageError) Error() string { return string(e) }

// Main runs the command that args name and returns the exit code.
func (p *Program) Main(ctx context.Context, commands []Command, args []string) int {
	if len(args) == 0 {
		p.help(p.Err, commands)
		return ExitUsage
	}
	if i := slices.IndexFunc(args, func(arg string) bool { return !utf8.ValidString(arg) }); i >= 0 {
		return p.code(UsageError(fmt.Sprintf("argument %d is not UTF-8; the terminal must use UTF-8", i+1)))
	}
	name, args := args[0], args[1:]
	if name == "help" || name == "-h" || name == "-help" || name == "--help" {
		if name != "help" || len(args) == 0 {
			p.help(p.Out, commands)
			return ExitOK
		}
		name, args = args[0], append(args[1:], "-h") // "help user create"
	}
	switch name {
	case "-version", "--version":
		name = "version"
	case "completion":
		return p.code(p.completion(args))
	case completer:
		return p.code(p.complete(ctx, commands, args))
	}
	for _, c := range commands {
		if c.Name == name {
			return p.code(c.Run(ctx, p, args))
		}
	}
	return p.code(UsageError(fmt.Sprintf("there is no command %q%s; \"sallyport help\" lists them", name, didYouMean(name, append(names(commands), "help", "completion")))))
}

// code prints an error and returns the exit code for it.
func (p *Program) code(err error) int {
	var usage UsageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return ExitOK
	case errors.As(err, &usage):
		fmt.Fprintln(p.Err, "sallyport:", string(usage))
		return ExitUsage
	}
	fmt.Fprintln(p.Err, "sallyport:", err)
	return ExitFailed
}

func (p *Program) help(w io.Writer, commands []Command) {
	fmt.Fprint(w, "Sallyport is an OpenID Connect provider with a second factor built in.\n\n")
	line := func(name, args, about string) { fmt.Fprintf(w, "  sallyport %-10s %-22s %s\n", name, args, about) }
	for _, c := range commands {
		line(c.Name, c.Args, c.About)
	}
	line("completion", "bash|zsh|fish", "a script that completes commands and flags in a shell")
	line("help", "[COMMAND]", "this text, or the arguments and flags of a command")
	fmt.Fprintln(w)
	fmt.Fprint(w, `Settings come from the file that --config or SALLYPORT_CONFIG names, then from
variables that begin with SALLYPORT_. "sallyport config reference" describes them all.

Exit codes: 0 success, 1 failure, 2 a mistake on the command line.

To try it: sallyport dev
`)
}

// Variable returns a variable of the environment.
func (p *Program) Variable(name string) string {
	for _, pair := range p.Environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}
