package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
)

// testProgram is a program whose output can be read. environ replaces the real one.
func testProgram(environ ...string) (*cli.Program, *bytes.Buffer, *bytes.Buffer) {
	out, err := new(bytes.Buffer), new(bytes.Buffer)
	return &cli.Program{Out: out, Err: err, Environ: environ, Now: time.Now, Random: rand.Reader}, out, err
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	existing := filepath.Join(dir, "existing")
	if err := os.WriteFile(existing, []byte("keep me"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, args string
		code       int
		out, err   string // contained in its output
	}{
		{"no command: help on standard error", "", cli.ExitUsage, "", "sallyport dev"},
		{"help", "help", cli.ExitOK, "sallyport migrate", ""},
		{"help as a flag", "--help", cli.ExitOK, "Exit codes", ""},
		{"help of a command", "dev -h", cli.ExitOK, "-data", ""},
		{"version", "version", cli.ExitOK, "sallyport", ""},
		{"version as a flag", "--version", cli.ExitOK, "sallyport", ""},
		{"an unknown command", "serv", cli.ExitUsage, "", `no command "serv" (did you mean serve?)`},
		{"an unknown verb", "user lsit", cli.ExitUsage, "", `no verb "lsit" (did you mean list?); want one of list, show`},
		{"an unknown flag", "serve --conf x", cli.ExitUsage, "", "serve: flag provided but not defined: -conf (did you mean --config?); see sallyport serve -h"},
		{"an argument too many", "version now", cli.ExitUsage, "", "version: 1 arguments, want 0"},
		{"an argument missing", "keyfile", cli.ExitUsage, "", "keyfile: 0 arguments, want 1"},
		{"a port out of range", "dev --port 70000", cli.ExitUsage, "", "--port"},
		{"a host that is no address and no name", "dev --host example", cli.ExitUsage, "", "--host"},
		{"a missing settings file", "serve --config " + filepath.Join(dir, "none.yaml"), cli.ExitFailed, "", "none.yaml"},
		{"settings with faults: each has a line", "serve", cli.ExitFailed, "", "\ndatabase: either dsn or dsn_file is required\nissuer: is required"},
		{"a key file", "keyfile " + filepath.Join(dir, "keys"), cli.ExitOK, "", ""},
		{"a key file is never replaced", "keyfile " + existing, cli.ExitFailed, "", "exist"},
		{"an admin key", "adminkey " + filepath.Join(dir, "admin"), cli.ExitOK, "", ""},
		{"an admin key is never replaced", "adminkey " + existing, cli.ExitFailed, "", "exist"},
		{"dev does not touch folders it did not create", "dev --reset --data " + dir, cli.ExitFailed, "", "did not make"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, out, err := testProgram()
			if code := p.Main(context.Background(), commands(), strings.Fields(tc.args)); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if !strings.Contains(out.String(), tc.out) || (tc.out == "") != (out.Len() == 0) {
				t.Errorf("standard output %q, want %q in it", out, tc.out)
			}
			if !strings.Contains(err.String(), tc.err) || (tc.err == "") != (err.Len() == 0) {
				t.Errorf("standard error %q, want %q in it", err, tc.err)
			}
		})
	}
	if text, err := os.ReadFile(existing); err != nil || string(text) != "keep me" {
		t.Errorf("the existing file holds %q, %v", text, err)
	}
	for _, name := range []string{"keys", "admin"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file %s: %v, %v; want mode 0600", name, info, err)
		}
	}
}
