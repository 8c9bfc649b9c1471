package cli

import (
	"cmp"
	"context"
	"embed"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// completer is the command that the scripts of completion call with the words of a command
// line, the last one being typed. It is not in the help.
const completer = "__complete"

//go:embed completion
var scripts embed.FS

// completion prints a script for a shell.
func (p *Program) completion(args []string) error {
	f := p.Flags("completion", "print a script that completes commands and flags in a shell", "bash|zsh|fish",
		"bash: source <(sallyport completion bash)\n"+
			"zsh:  source <(sallyport completion zsh)      after compinit\n"+
			"fish: sallyport completion fish | source\n\n"+
			"Put the line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish to keep it.")
	if err := f.Parse(args, 1); err != nil {
		return err
	}
	text, err := scripts.ReadFile("completion/" + f.Arg(0))
	if err != nil {
		return UsageError("completion: want one of bash, zsh, fish")
	}
	_, err = p.Out.Write(text)
	return err
}

// shape is what a command accepts, as its help says.
type shape struct {
	verbs []Command
	flags *flag.FlagSet
}

// shapeOf asks a command for its help, which every command has, so that completion needs no
// table besides that of the commands. No word of a user reaches the command.
func (p *Program) shapeOf(ctx context.Context, c Command) shape {
	q := *p
	q.In, q.Out, q.Err, q.shape = strings.NewReader(""), io.Discard, io.Discard, &shape{}
	_ = c.Run(ctx, &q, []string{"-h"}) // flag.ErrHelp
	return *q.shape
}

// complete prints what may be typed as the last of words: a name, a tab, what it is.
func (p *Program) complete(ctx context.Context, commands []Command, words []string) error {
	if len(words) == 0 {
		return nil
	}
	last := len(words) - 1
	before, typed := words[:last], words[last]
	at := shape{verbs: append(slices.Clone(commands),
		Command{Name: "completion", About: "a script for a shell"}, Command{Name: "help", About: "the arguments and flags of a command"})}
	if len(before) > 0 && before[0] == "help" {
		before = before[1:]
	}
	for len(before) > 0 && at.verbs != nil {
		i := slices.IndexFunc(at.verbs, func(c Command) bool { return c.Name == before[0] })
		switch {
		case i < 0:
			return nil
		case before[0] == "completion":
			at = shape{verbs: []Command{{Name: "bash"}, {Name: "fish"}, {Name: "zsh"}}}
		default:
			at = p.shapeOf(ctx, at.verbs[i])
		}
		before = before[1:]
	}
	for _, c := range at.verbs {
		p.candidate(typed, c.Name, c.About)
	}
	if at.flags == nil || len(before) > 0 && takesValue(at.flags, before[len(before)-1]) || !strings.HasPrefix(typed, "-") {
		return nil // an argument or a value, which only the shell may know
	}
	at.flags.VisitAll(func(f *flag.Flag) {
		_, usage := flag.UnquoteUsage(f)
		p.candidate(typed, "--"+f.Name, usage)
	})
	return nil
}

// takesValue reports whether the word after a word is the value of a flag.
func takesValue(flags *flag.FlagSet, word string) bool {
	if !strings.HasPrefix(word, "-") {
		return false
	}
	f := flags.Lookup(strings.TrimLeft(word, "-"))
	if f == nil {
		return false
	}
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !b.IsBoolFlag()
}

func (p *Program) candidate(typed, name, about string) {
	if strings.HasPrefix(name, typed) {
		fmt.Fprintf(p.Out, "%s\t%s\n", name, cmp.Or(about, name))
	}
}
