package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Group runs a command that has verbs.
func (p *Program) Group(ctx context.Context, name, about string, verbs []Command, args []string) error {
	if len(args) > 0 {
		for _, v := range verbs {
			if v.Name == args[0] {
				return v.Run(ctx, p, args[1:])
			}
		}
	}
	if len(args) > 0 && slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		if p.shape != nil {
			p.shape.verbs = verbs
			return nil
		}
		fmt.Fprintf(p.Out, "sallyport %s: %s\n\n", name, about)
		t := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
		for _, v := range verbs {
			fmt.Fprintf(t, "  sallyport %s %s %s\t%s\n", name, v.Name, v.Args, v.About)
		}
		fmt.Fprintf(t, "\n\"sallyport %s VERB -h\" shows the flags of a verb.\n", name)
		_ = t.Flush() // a reader that has gone is not an error
		return nil
	}
	hint := ""
	if len(args) > 0 {
		hint = fmt.Sprintf("there is no verb %q%s; ", args[0], didYouMean(args[0], names(verbs)))
	}
	return UsageError(fmt.Sprintf("%s: %swant one of %s; see sallyport %s -h", name, hint, strings.Join(names(verbs), ", "), name))
}

func names(commands []Command) []string {
	var out []string
	for _, c := range commands {
		out = append(out, c.Name)
	}
	return out
}
