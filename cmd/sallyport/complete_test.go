package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
)

// completed returns what completes the last of some words.
func completed(t *testing.T, words ...string) []string {
	t.Helper()
	p, out, err := testProgram("SALLYPORT_CONFIG=/nowhere/sallyport.yaml")
	if code := p.Main(t.Context(), commands(), append([]string{"__complete"}, words...)); code != cli.ExitOK || err.Len() > 0 {
		t.Fatalf("%q: exit code %d, %s", words, code, err)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		name, about, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !found || about == "" {
			t.Errorf("%q: %q has no description", words, line)
		}
		names = append(names, name)
	}
	return names
}

func TestCompletionKnowsCommandsVerbsAndFlags(t *testing.T) {
	for _, tc := range []struct{ words, want []string }{
		{[]string{"us"}, []string{"user"}},
		{[]string{"user", "d"}, []string{"disable", "delete"}},
		{[]string{"help", "user", "un"}, []string{"unlock"}},
		{[]string{"user", "delete", "alice", "--y"}, []string{"--yes"}},
		{[]string{"apply", "--pr"}, []string{"--print", "--prune"}},
		{[]string{"apply", "--config", ""}, nil}, // a file, which the shell completes
		{[]string{"apply", "--prune", "--dry"}, []string{"--dry-run"}},
		{[]string{"migrate", "st"}, []string{"status"}},
		{[]string{"completion", "f"}, []string{"fish"}},
		{[]string{"nothing", ""}, nil},
		{nil, nil},
	} {
		if got := completed(t, tc.words...); !slices.Equal(got, tc.want) {
			t.Errorf("%q is completed by %q, want %q", tc.words, got, tc.want)
		}
	}
}

// TestEveryCommandIsCompleted: completion comes from the table of commands alone, and so do
// the flags of each. What deletes something has --yes.
func TestEveryCommandIsCompleted(t *testing.T) {
	all := completed(t, "")
	for _, c := range commands() {
		if !slices.Contains(all, c.Name) {
			t.Errorf("%s is not completed", c.Name)
		}
		paths := [][]string{{c.Name}}
		for _, verb := range completed(t, c.Name, "") {
			paths = append(paths, []string{c.Name, verb})
		}
		if len(paths) > 1 {
			paths = paths[1:]
		}
		for _, path := range paths {
			flags := completed(t, append(path, "--")...)
			if c.Name != "keyfile" && c.Name != "adminkey" && len(flags) == 0 {
				t.Errorf("%q has no flags", path)
			}
			last := path[len(path)-1]
			if slices.Contains([]string{"delete", "drop", "down", "reset-factors", "retire", "apply", "remove", "prune", "revoke"}, last) && !slices.Contains(flags, "--yes") {
				t.Errorf("%q deletes something and has no --yes", path)
			}
		}
	}
}

func TestCompletionRunsNoCommand(t *testing.T) {
	ran := false
	run := func(_ context.Context, _ *cli.Program, args []string) error {
		ran = ran || !slices.Equal(args, []string{"-h"})
		return nil
	}
	p := &cli.Program{Out: io.Discard, Err: io.Discard}
	p.Main(t.Context(), []cli.Command{{Name: "delete", Run: run}}, []string{"__complete", "delete", "alice", "--yes", "--config", ""})
	if ran {
		t.Error("completion ran a command with the words of the user")
	}
}

func TestScriptsOfCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		p, out, _ := testProgram()
		if code := p.Main(t.Context(), commands(), []string{"completion", shell}); code != cli.ExitOK || !strings.Contains(out.String(), "__complete") {
			t.Errorf("%s: exit code %d, %s", shell, code, out)
		}
	}
	p, _, err := testProgram()
	if code := p.Main(t.Context(), commands(), []string{"completion", "tcsh"}); code != cli.ExitUsage || !strings.Contains(err.String(), "bash, zsh, fish") {
		t.Errorf("tcsh: exit code %d, %s", code, err)
	}
}
