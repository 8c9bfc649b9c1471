package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
)

// line is a command line with its result.
type line struct {
	name, args string
	code       int
	out, err   string // contained in its output
}

func (l line) play(t *testing.T, settings string) {
	t.Helper()
	p, out, err := testProgram("SALLYPORT_CONFIG=" + settings)
	code := p.Main(context.Background(), commands(), strings.Fields(l.args))
	if code != l.code || !strings.Contains(out.String(), l.out) || !strings.Contains(err.String(), l.err) || (l.err == "") != (err.Len() == 0) {
		t.Errorf("%s: exit code %d, %q, %q; want %d, %q, %q", l.name, code, out, err, l.code, l.out, l.err)
	}
}

func TestMigrateCommandLine(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		for _, l := range []line{
			{"an unknown verb", "migrate sideways", cli.ExitUsage, "", "want one of up, names, status, plan, down"},
			{"help", "migrate -h", cli.ExitOK, "revert the newest step", ""},
			{"status", "migrate status", cli.ExitOK, "The database has this version's schema.", ""},
			{"nothing to plan", "migrate plan", cli.ExitOK, "Nothing", ""},
			{"up again", "migrate up", cli.ExitOK, "The database has this version's schema.", ""},
			{"names", "migrate names", cli.ExitOK, "All other names are compared as this version does.", ""},
			{"up is the default", "migrate", cli.ExitOK, "The database has this version's schema.", ""},
			{"down without yes", "migrate down", cli.ExitFailed, "", "this would revert"},
		} {
			l.play(t, settings)
		}
		allTheWayDown(t, settings)
		for _, l := range []line{
			{"down again", "migrate down --yes", cli.ExitOK, "Nothing", ""},
			{"status of nothing", "migrate status", cli.ExitOK, "pending", ""},
			{"plan", "migrate plan", cli.ExitOK, "1. 0001_init.sql", ""},
			{"plan with statements", "migrate plan --sql", cli.ExitOK, "CREATE TABLE users", ""},
			{"a server refuses", "serve", cli.ExitFailed, "", "the database has no tables of Sallyport; migrate it (sallyport migrate does it)"},
			{"keys refuse", "keys list", cli.ExitFailed, "", "sallyport migrate does it"},
			{"up prints each step", "migrate", cli.ExitOK, "0001_init.sql done in", ""},
		} {
			l.play(t, settings)
		}
	})
}

// allTheWayDown reverts every step; the first one needs another flag.
func allTheWayDown(t *testing.T, settings string) {
	t.Helper()
	for range 100 {
		p, _, err := testProgram("SALLYPORT_CONFIG=" + settings)
		if p.Main(context.Background(), commands(), []string{"migrate", "down", "--yes"}) == cli.ExitOK {
			continue
		}
		if !strings.Contains(err.String(), "drops every table") {
			t.Fatalf("down: %s", err)
		}
		line{"down to nothing", "migrate down --yes --drop-everything", cli.ExitOK, "0001_init.sql is reverted", ""}.play(t, settings)
		return
	}
	t.Fatal("the first step was reverted without --drop-everything")
}

func TestBackupCommand(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		file := filepath.Join(t.TempDir(), "copy")
		text, err := os.ReadFile(settings)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "sqlite:") {
			line{"SQLite", "backup " + file, cli.ExitOK, "key file", ""}.play(t, settings)
			line{"over an existing file", "backup " + file, cli.ExitFailed, "", "exists"}.play(t, settings)
			return
		}
		line{"PostgreSQL", "backup " + file, cli.ExitFailed, "", "pg_dump"}.play(t, settings)
		if _, err := os.Stat(file); err == nil {
			t.Error("a refused backup created its file")
		}
	})
}
