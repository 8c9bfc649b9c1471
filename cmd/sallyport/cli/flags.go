package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// Flags are the flags of a command.
type Flags struct {
	*flag.FlagSet
	help func()
}

// Flags returns the flags of a command. more is further help: first the arguments, then
// notes.
func (p *Program) Flags(name, about string, more ...string) Flags {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {} // package flag calls it for mistakes too, which get one line
	return Flags{f, func() {
		if p.shape != nil {
			p.shape.flags = f
			return
		}
		fmt.Fprintf(p.Out, "sallyport %s: %s\n\n", name, about)
		for i, note := range more {
			if i == 0 {
				note = "Usage: sallyport " + name + " " + note
			}
			fmt.Fprintf(p.Out, "%s\n\n", note)
		}
		f.SetOutput(p.Out)
		f.PrintDefaults()
	}}
}

// Parse parses flags and requires exactly rest further arguments; any number if rest is
// negative.
func (f Flags) Parse(args []string, rest int) error {
	err := f.FlagSet.Parse(f.ordered(args))
	if errors.Is(err, flag.ErrHelp) {
		f.help()
		return err
	}
	if err != nil {
		return UsageError(f.Name() + ": " + err.Error() + f.hint(err))
	}
	if rest >= 0 && f.NArg() != rest {
		return UsageError(fmt.Sprintf("%s: %d arguments, want %d; see sallyport %s -h", f.Name(), f.NArg(), rest, f.Name()))
	}
	return nil
}

// hint returns what may have been meant by a flag that does not exist.
func (f Flags) hint(err error) string {
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return ""
	}
	var known []string
	f.VisitAll(func(x *flag.Flag) { known = append(known, "--"+x.Name) })
	return didYouMean("--"+strings.TrimPrefix(name, "-"), known) + "; see sallyport " + f.Name() + " -h"
}

// ordered moves flags before arguments, because package flag stops at the first argument,
// and people write "apply FILE --dry-run".
func (f Flags) ordered(args []string) []string {
	var named, rest []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		named = append(named, arg)
		known := f.Lookup(strings.TrimLeft(arg, "-"))
		if known == nil { // "name=value", or one that package flag refuses
			continue
		}
		if b, ok := known.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			continue
		}
		if i+1 == len(args) { // its value is missing, which package flag reports
			return append(rest[:0:0], named...)
		}
		i++
		named = append(named, args[i])
	}
	return append(append(named, "--"), rest...)
}
