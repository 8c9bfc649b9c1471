package servertest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sallyport/cmd/sallyport/secretfile"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

// first is what installations have in common. Making it takes longer than most tests.
var first struct {
	once           sync.Once
	keys, database []byte
	postgres       storagetest.Copies
}

// NewInstallation writes an installation of a server on SQLite that was started once: it has a
// schema and signing keys. It returns the file of the settings, and the addresses of both listeners.
func NewInstallation(t *testing.T) (settings, public, admin string) {
	t.Helper()
	first.once.Do(func() {
		dir := t.TempDir()
		if err := secretfile.Write(filepath.Join(dir, "keys"), seal.NewKeyFile(rand.Reader)); err != nil {
			t.Fatal(err)
		}
		settings, _, _ := write(t, dir)
		start(t, settings)
		var errs [2]error
		first.keys, errs[0] = os.ReadFile(filepath.Join(dir, "keys"))
		first.database, errs[1] = os.ReadFile(filepath.Join(dir, "sallyport.db")) // closing moved the log into it
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
	})
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "keys"), first.keys, 0o600), os.WriteFile(filepath.Join(dir, "sallyport.db"), first.database, 0o600)); err != nil {
		t.Fatal(err)
	}
	return write(t, dir)
}

// NewUnstarted is NewInstallation for a server that was never started: it has no signing keys.
// Those of the other may be as old as the test program.
func NewUnstarted(t *testing.T) (settings, public, admin string) {
	t.Helper()
	dir := t.TempDir()
	if err := secretfile.Write(filepath.Join(dir, "keys"), seal.NewKeyFile(rand.Reader)); err != nil {
		t.Fatal(err)
	}
	settings, public, admin = write(t, dir)
	migrate(t, settings)
	return settings, public, admin
}

func migrate(t *testing.T, settings string) {
	t.Helper()
	engine, _, err := server.OpenEngine(t.Context(), Options(t, settings, new(Clock)))
	if err == nil {
		err = errors.Join(engine.Migrate(t.Context()), engine.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// write writes the settings and the key of the admin API.
func write(t *testing.T, dir string) (settings, public, admin string) {
	t.Helper()
	for public, admin = FreeAddress(t), FreeAddress(t); admin == public; {
		admin = FreeAddress(t)
	}
	settings = filepath.Join(dir, "sallyport.yaml")
	text := fmt.Sprintf("issuer: http://%s\nenvironment: test\nlisten: %s\nadmin_listen: %s\nadmin_key_file: %s\nkey_file: %s\ndrain_time: 1s\ndatabase:\n  dsn: sqlite:%s\n",
		public, public, admin, filepath.Join(dir, "admin"), filepath.Join(dir, "keys"), filepath.Join(dir, "sallyport.db"))
	key, err := secretfile.NewKey(rand.Reader)
	if err == nil {
		err = errors.Join(os.WriteFile(settings, []byte(text), 0o600), secretfile.Write(filepath.Join(dir, "admin"), []byte(key.Reveal()+"\n")))
	}
	if err != nil {
		t.Fatal(err)
	}
	return settings, public, admin
}

// start starts a server on an empty database, and stops it.
func start(t *testing.T, settings string) {
	t.Helper()
	o := Options(t, settings, new(Clock))
	o.Migrate = true
	h, err := server.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
}

// Options returns the options of a server with these settings and this clock. Its hashes of passwords
// take nearly no time.
func Options(t *testing.T, settings string, c *Clock) server.Options {
	t.Helper()
	loaded, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Argon2.Memory, loaded.Argon2.Time = 8, 1 // settings cannot ask for less than is safe
	o, err := server.NewOptions(loaded, server.NewLog(t.Output(), loaded.LogLevel), c.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// OnBoth runs a test with the settings of an installation on each database.
func OnBoth(t *testing.T, test func(t *testing.T, settings string)) {
	onBoth(t, NewInstallation, test, func(t *testing.T, on func(dsn string) (settings string)) {
		on(first.postgres.New(t, func(dsn string) { start(t, on(dsn)) }))
	})
}

// OnBothUnstarted is OnBoth with installations of NewUnstarted.
func OnBothUnstarted(t *testing.T, test func(t *testing.T, settings string)) {
	onBoth(t, NewUnstarted, test, func(t *testing.T, on func(dsn string) (settings string)) {
		migrate(t, on(storagetest.Postgres(t)))
	})
}

func onBoth(t *testing.T, install func(*testing.T) (settings, public, admin string), test func(t *testing.T, settings string), postgres func(*testing.T, func(string) string)) {
	t.Run("SQLite", func(t *testing.T) {
		settings, _, _ := install(t)
		test(t, settings)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		settings, _, _ := install(t)
		postgres(t, func(dsn string) string {
			UseDatabase(t, settings, dsn)
			return settings
		})
		test(t, settings)
	})
}

// UseDatabase gives an installation another database.
func UseDatabase(t *testing.T, settings, dsn string) {
	t.Helper()
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "database:")
	if err := os.WriteFile(settings, fmt.Appendf([]byte(head), "database:\n  dsn: %q\n", dsn), 0o600); err != nil {
		t.Fatal(err)
	}
}

// AppendSettings adds settings to those of an installation.
func AppendSettings(t *testing.T, settings, text string) {
	t.Helper()
	have, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, append(have, text...), 0o600); err != nil {
		t.Fatal(err)
	}
}

func FreeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
