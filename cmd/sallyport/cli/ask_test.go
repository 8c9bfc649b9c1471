package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

// deletes is a program with one command, which deletes what there is.
func deletes(there *bool) []Command {
	return []Command{{Name: "delete", Run: func(ctx context.Context, p *Program, args []string) error {
		f := p.Flags("delete", "delete it")
		ask := p.Ask(f)
		if err := f.Parse(args, 0); err != nil {
			return err
		}
		if err := ask(ctx, "delete it"); err != nil {
			return err
		}
		*there = false
		return nil
	}}}
}

func TestNothingIsDeletedUnasked(t *testing.T) {
	for _, tc := range []struct {
		name     string
		args     []string
		terminal bool
		typed    string
		code     int
		err      string
		kept     bool
	}{
		{"yes", []string{"delete"}, true, "y\n", ExitOK, "This will delete it. Go on? [y/N] ", false},
		{"yes, in full", []string{"delete"}, true, " YES \n", ExitOK, "Go on?", false},
		{"no", []string{"delete"}, true, "n\n", ExitFailed, "nothing was changed", true},
		{"only Enter", []string{"delete"}, true, "\n", ExitFailed, "nothing was changed", true},
		{"the end of the input", []string{"delete"}, true, "", ExitFailed, "nothing was changed", true},
		{"another word", []string{"delete"}, true, "yesterday\n", ExitFailed, "nothing was changed", true},
		{"a script does not answer", []string{"delete"}, false, "y\n", ExitUsage, "delete: this would delete it; add --yes", true},
		{"a script with --yes", []string{"delete", "--yes"}, false, "", ExitOK, "", false},
		{"a terminal with --yes", []string{"delete", "--yes"}, true, "n\n", ExitOK, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, err bytes.Buffer
			there := true
			p := &Program{In: strings.NewReader(tc.typed), Out: &out, Err: &err, Terminal: tc.terminal}
			if code := p.Main(t.Context(), deletes(&there), tc.args); code != tc.code || there != tc.kept {
				t.Errorf("exit code %d, want %d; kept: %v, want %v", code, tc.code, there, tc.kept)
			}
			if !strings.Contains(err.String(), tc.err) || tc.err == "" && err.Len() > 0 || out.Len() > 0 {
				t.Errorf("standard error %q, want %q in it; standard output %q", err.String(), tc.err, out.String())
			}
		})
	}
}

func TestCtrlCEndsAQuestion(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	in, typing := io.Pipe()
	defer typing.Close()
	there := true
	asked, seen := io.Pipe()
	go func() {
		b := make([]byte, 1)
		_, _ = asked.Read(b) // the question
		stop()
		_, _ = io.Copy(io.Discard, asked)
	}()
	p := &Program{In: in, Out: io.Discard, Err: seen, Terminal: true}
	if code := p.Main(ctx, deletes(&there), []string{"delete"}); code != ExitFailed || !there {
		t.Errorf("exit code %d, want %d; kept: %v", code, ExitFailed, there)
	}
}
