package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// line is a command line with what it does.
type line struct {
	name, args string
	code       int
	out, err   string // in what it prints
}

func (l line) play(t *testing.T, settings string) {
	t.Helper()
	p, out, err := testProgram("SALLYPORT_CONFIG=" + settings)
	code := p.main(context.Background(), commands(), strings.Fields(l.args))
	if code != l.code || !strings.Contains(out.String(), l.out) || !strings.Contains(err.String(), l.err) || (l.err == "") != (err.Len() == 0) {
		t.Errorf("%s: exit code %d, %q, %q; want %d, %q, %q", l.name, code, out, err, l.code, l.out, l.err)
	}
}

func TestMigrateCommandLine(t *testing.T) {
	onBoth(t, func(t *testing.T, settings string) {
		for _, l := range []line{
			{"an unknown verb", "migrate sideways", exitUsage, "", "want one of up, status, plan, down"},
			{"help", "migrate -h", exitOK, "take the newest step back", ""},
			{"status", "migrate status", exitOK, "The database has this version's schema.", ""},
			{"nothing to plan", "migrate plan", exitOK, "Nothing", ""},
			{"up again", "migrate up", exitOK, "The database has this version's schema.", ""},
			{"up without the word", "migrate", exitOK, "The database has this version's schema.", ""},
			{"down without yes", "migrate down", exitFailed, "", "this would take back"},
		} {
			l.play(t, settings)
		}
		allTheWayDown(t, settings)
		for _, l := range []line{
			{"down again", "migrate down --yes", exitOK, "Nothing", ""},
			{"status of nothing", "migrate status", exitOK, "pending", ""},
			{"plan", "migrate plan", exitOK, "1. 0001_init.sql", ""},
			{"plan with statements", "migrate plan --sql", exitOK, "CREATE TABLE users", ""},
			{"a server refuses", "serve", exitFailed, "", "it is older than this version of Sallyport; migrate it (sallyport migrate does it)"},
			{"keys refuse", "keys list", exitFailed, "", "sallyport migrate does it"},
			{"up tells each step", "migrate", exitOK, "0001_init.sql done in", ""},
		} {
			l.play(t, settings)
		}
	})
}

// allTheWayDown takes every step back; the first one needs a word more.
func allTheWayDown(t *testing.T, settings string) {
	t.Helper()
	for range 100 {
		p, _, err := testProgram("SALLYPORT_CONFIG=" + settings)
		if p.main(context.Background(), commands(), []string{"migrate", "down", "--yes"}) == exitOK {
			continue
		}
		if !strings.Contains(err.String(), "drops every table") {
			t.Fatalf("down: %s", err)
		}
		line{"down to nothing", "migrate down --yes --drop-everything", exitOK, "0001_init.sql is taken back", ""}.play(t, settings)
		return
	}
	t.Fatal("the first step was taken back without a word more")
}

func TestBackupCommand(t *testing.T) {
	onBoth(t, func(t *testing.T, settings string) {
		file := filepath.Join(t.TempDir(), "copy")
		text, err := os.ReadFile(settings)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "sqlite:") {
			line{"SQLite", "backup " + file, exitOK, "key file", ""}.play(t, settings)
			line{"over a file that is there", "backup " + file, exitFailed, "", "exists"}.play(t, settings)
			return
		}
		line{"PostgreSQL", "backup " + file, exitFailed, "", "pg_dump"}.play(t, settings)
		if _, err := os.Stat(file); err == nil {
			t.Error("there is a file all the same")
		}
	})
}
