package main

import (
	"context"
	"database/sql"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/servertest"
)

// start is a reason not to start.
type start struct {
	name    string
	refusal string // what the error names
	arrange func(t *testing.T, settings string, p *cli.Program)
}

func refusedStarts() []start {
	return []start{
		{"a key file of another installation", "key-encryption key", func(t *testing.T, settings string, _ *cli.Program) {
			file := filepath.Join(filepath.Dir(settings), "keys")
			good, err := os.ReadFile(file)
			if err == nil {
				err = os.Remove(file)
			}
			if err != nil {
				t.Fatal(err)
			}
			run(t, "keyfile", file)
			t.Cleanup(func() {
				if err := os.WriteFile(file, good, 0o600); err != nil {
					t.Error(err)
				}
			})
		}},
		{"a clock that is wrong", "the clock differs", func(_ *testing.T, _ string, p *cli.Program) {
			now := p.Now
			p.Now = func() time.Time { return now().Add(-time.Hour) }
		}},
		{"an address in use", "address already in use", func(t *testing.T, settings string, p *cli.Program) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			p.Environ = append(p.Environ, "SALLYPORT_LISTEN="+l.Addr().String())
		}},
		{"templates that do not parse", "build pages", func(t *testing.T, settings string, p *cli.Program) {
			dir := t.TempDir()
			err := os.Mkdir(filepath.Join(dir, "templates"), 0o700)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "templates", "layout.html"), []byte("{{"), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			p.Environ = append(p.Environ, "SALLYPORT_TEMPLATE_DIR="+dir)
		}},
	}
}

// refuse starts a server that must not start.
func (s start) refuse(t *testing.T, settings string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p, _, text := testProgram()
	s.arrange(t, settings, p)
	if code := p.Main(ctx, commands(), []string{"serve", "--config", settings}); code == cli.ExitOK {
		t.Fatal("the server started")
	}
	if !strings.Contains(text.String(), s.refusal) {
		t.Errorf("stderr is %q, want %q in it", text, s.refusal)
	}
}

// files returns the content of the database's files, without the index of the write-ahead log,
// which readers rebuild.
func files(t *testing.T, settings string) map[string]string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(settings), "sallyport.db*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range found {
		if strings.HasSuffix(name, "-shm") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = string(text)
	}
	return out
}

// journals puts the database into a state that an operator may find it in.
var journals = map[string]func(t *testing.T, settings string){
	"as a server leaves it": func(*testing.T, string) {},
	"as a backup": func(t *testing.T, settings string) {
		file := filepath.Join(filepath.Dir(settings), "sallyport.db")
		run(t, "backup", "--config", settings, file+".copy")
		if err := os.Rename(file+".copy", file); err != nil {
			t.Fatal(err)
		}
	},
	"after a crash": func(t *testing.T, settings string) {
		// A copy of the files of an open database is what a crash leaves.
		file := filepath.Join(filepath.Dir(settings), "sallyport.db")
		db, err := sql.Open("sqlite", file)
		if err == nil {
			_, err = db.ExecContext(t.Context(), "UPDATE keys SET created_at = created_at + 1")
		}
		if err != nil {
			t.Fatal(err)
		}
		left := files(t, settings)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if left["sallyport.db-wal"] == "" {
			t.Fatal("there is no write-ahead log")
		}
		for name, text := range left {
			if err := os.WriteFile(filepath.Join(filepath.Dir(settings), name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	},
	"empty": func(t *testing.T, settings string) {
		if err := os.Remove(filepath.Join(filepath.Dir(settings), "sallyport.db")); err != nil {
			t.Fatal(err)
		}
	},
}

func TestARefusedStartLeavesSQLiteByteForByte(t *testing.T) {
	for name, arrange := range journals {
		t.Run(name, func(t *testing.T) {
			settings, _, _ := servertest.NewInstallation(t)
			servertest.Apply(t, settings, servertest.MachineState) // creates the keys
			arrange(t, settings)
			before := files(t, settings)
			starts := refusedStarts()
			if name == "empty" {
				starts = []start{{"no schema", "sallyport migrate does it", func(*testing.T, string, *cli.Program) {}}}
			}
			for _, s := range starts {
				t.Run(s.name, func(t *testing.T) {
					s.refuse(t, settings)
					after := files(t, settings)
					for name := range after {
						if _, was := before[name]; !was {
							t.Errorf("there is a new file %s of %d bytes", name, len(after[name]))
						}
					}
					if !maps.Equal(before, after) {
						t.Error("the files of the database have changed")
					}
				})
			}
		})
	}
}

func TestARefusedStartWritesNoRecord(t *testing.T) {
	servertest.OnBoth(t, func(t *testing.T, settings string) {
		servertest.Apply(t, settings, servertest.MachineState)
		trail := func() string { return run(t, "events", "--config", settings, "--json") }
		before := trail()
		for _, s := range refusedStarts() {
			t.Run(s.name, func(t *testing.T) { s.refuse(t, settings) })
		}
		if after := trail(); before != after {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	})
}
