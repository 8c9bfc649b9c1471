package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// Ask declares --yes for a command that deletes something. The function that it returns asks
// whether to go on; without a terminal there must be --yes.
func (p *Program) Ask(f Flags) func(ctx context.Context, what string) error {
	yes := f.Bool("yes", false, "go on without asking; needed where there is no terminal")
	return func(ctx context.Context, what string) error {
		if *yes {
			return nil
		}
		if !p.Terminal {
			return UsageError(fmt.Sprintf("%s: this would %s; add --yes to do it, as there is no terminal to ask on", f.Name(), what))
		}
		fmt.Fprintf(p.Err, "This will %s. Go on? [y/N] ", what)
		answers := make(chan string, 1)
		go func() {
			line, _ := bufio.NewReader(p.In).ReadString('\n') // at the end of the input there is no answer
			answers <- strings.ToLower(strings.TrimSpace(line))
		}()
		select {
		case <-ctx.Done(): // Ctrl-C
			return ctx.Err()
		case answer := <-answers:
			if answer == "y" || answer == "yes" {
				return nil
			}
			return errors.New("nothing was changed; --yes goes on without asking")
		}
	}
}
