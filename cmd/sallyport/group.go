package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// group plays a command that has verbs of its own.
func (p *program) group(ctx context.Context, name, about string, verbs []command, args []string) error {
	if len(args) > 0 {
		for _, v := range verbs {
			if v.name == args[0] {
				return v.run(ctx, p, args[1:])
			}
		}
	}
	if len(args) > 0 && slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprintf(p.out, "sallyport %s: %s\n\n", name, about)
		t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
		for _, v := range verbs {
			fmt.Fprintf(t, "  sallyport %s %s %s\t%s\n", name, v.name, v.args, v.about)
		}
		fmt.Fprintf(t, "\n\"sallyport %s VERB -h\" shows the flags of a verb.\n", name)
		_ = t.Flush() // a reader that went away is no fault
		return nil
	}
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.name
	}
	return usageError(fmt.Sprintf("%s: want one of %s; see sallyport %s -h", name, strings.Join(names, ", "), name))
}
