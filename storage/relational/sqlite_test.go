package relational_test

import (
	"os"
	"strings"
	"testing"

	"sallyport/storage/relational"
)

// aside copies the files of a database, as a crash leaves them.
func aside(t *testing.T, path string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range []string{path, path + "-wal"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = text
	}
	return out
}

func TestADamagedFileBehindItsLogIsFoundAtOpen(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		dsn := engines()["SQLite"](t)
		path := strings.TrimPrefix(dsn, "sqlite:")
		k := keyring(t)
		e, err := relational.Open(t.Context(), dsn, k, relational.Options{})
		if err == nil {
			err = e.Migrate(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			if err := e.CreateUser(t.Context(), newLogin().newUser()); err != nil {
				t.Fatal(err)
			}
		}
		change(t, direct(t, dsn), "PRAGMA wal_checkpoint(TRUNCATE)")
		if err := e.CreateUser(t.Context(), newLogin().newUser()); err != nil {
			t.Fatal(err)
		}
		files := aside(t, path)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if len(files[path+"-wal"]) == 0 {
			t.Fatal("there is no write-ahead log")
		}
		// The log has the first pages, so that the database opens and reads look good.
		for i := 8 * 4096; i < len(files[path]); i++ {
			files[path][i] = 0xa5
		}
		for name, text := range files {
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err = relational.Open(t.Context(), dsn, k, relational.Options{ReadOnly: readOnly})
		if err == nil || !strings.Contains(err.Error(), "quick_check") {
			t.Errorf("Open with ReadOnly %v = %v, want a refusal that names quick_check", readOnly, err)
		}
		for name, text := range aside(t, path) {
			if string(text) != string(files[name]) {
				t.Errorf("the refusal changed %s", name)
			}
		}
	}
}

func TestAReadOnlyDatabaseBecomesWritable(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		k := keyring(t)
		open(t, dsn, k)
		e := openWith(t, dsn, k, relational.Options{})
		l := newLogin()
		if err := e.CreateUser(t.Context(), l.newUser()); err != nil {
			t.Fatal(err)
		}
		r, err := relational.Open(t.Context(), dsn, k, relational.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		if err := r.CheckSchema(t.Context()); err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(dsn, "sqlite:") && r.CreateUser(t.Context(), newLogin().newUser()) == nil {
			t.Error("a read-only database was written")
		}
		if err := r.Writable(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.CreateUser(t.Context(), newLogin().newUser()); err != nil {
			t.Error(err)
		}
	})
}
