package main

import (
	"io"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
)

// answering is a terminal at which something happens before the answer.
type answering struct {
	before func()
	io.Reader
}

func (a *answering) Read(p []byte) (int, error) {
	if a.before != nil {
		a.before()
		a.before = nil
	}
	return a.Reader.Read(p)
}

func TestPruneAsksAndDeletesNothingElse(t *testing.T) {
	const other = "clients:\n  - {client_id: late, public: true, redirect_uris: [\"https://late.example.com/cb\"]}\n"
	for _, tc := range []struct {
		name, typed string
		terminal    bool
		meanwhile   bool // another client is created before the answer
		code        int
		err, left   string
	}{
		{"a script without --yes", "y\n", false, false, cli.ExitUsage, "apply: this would delete client office, client shop; add --yes", "office shop"},
		{"no", "n\n", true, false, cli.ExitFailed, "nothing was changed", "office shop"},
		{"yes", "y\n", true, false, cli.ExitOK, "This will delete client office, client shop. Go on?", ""},
		{"yes, to something else", "y\n", true, true, cli.ExitFailed, "what would be deleted has changed", "late office shop"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newFixtureWithClients(t)
			state := o.file("next.yaml", "clients: []\n")
			p, _, errOut := testProgram("SALLYPORT_CONFIG=" + o.settings)
			in := &answering{Reader: strings.NewReader(tc.typed)}
			if tc.meanwhile {
				in.before = func() { o.must("apply", o.file("other.yaml", other)) }
			}
			p.In, p.Terminal = in, tc.terminal
			if code := p.Main(t.Context(), commands(), []string{"apply", "--prune", state}); code != tc.code || !strings.Contains(errOut.String(), tc.err) {
				t.Errorf("exit code %d, want %d: %s, want %q in it", code, tc.code, errOut, tc.err)
			}
			var all []struct {
				ID string `json:"client_id"`
			}
			o.read(&all, "client", "list")
			var left []string
			for _, c := range all {
				left = append(left, c.ID)
			}
			if got := strings.Join(left, " "); got != tc.left {
				t.Errorf("left: %s, want %s", got, tc.left)
			}
		})
	}
}
