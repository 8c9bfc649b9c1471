package servertest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/secretfile"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/storage/seal"
	"sallyport/storage/storagetest"
)

// NewInstallation writes the settings of a server on SQLite, its keys and its schema. It
// returns the file of the settings, and the addresses of both listeners.
func NewInstallation(t *testing.T) (settings, public, admin string) {
	t.Helper()
	dir := t.TempDir()
	for public, admin = FreeAddress(t), FreeAddress(t); admin == public; {
		admin = FreeAddress(t)
	}
	settings = filepath.Join(dir, "sallyport.yaml")
	text := fmt.Sprintf("issuer: http://%s\nenvironment: test\nlisten: %s\nadmin_listen: %s\nadmin_key_file: %s\nkey_file: %s\ndrain_time: 1s\ndatabase:\n  dsn: sqlite:%s\n",
		public, public, admin, filepath.Join(dir, "admin"), filepath.Join(dir, "keys"), filepath.Join(dir, "sallyport.db"))
	key, err := secretfile.NewKey(rand.Reader)
	if err == nil {
		err = errors.Join(os.WriteFile(settings, []byte(text), 0o600), secretfile.Write(filepath.Join(dir, "keys"), seal.NewKeyFile(rand.Reader)),
			secretfile.Write(filepath.Join(dir, "admin"), []byte(key.Reveal()+"\n")))
	}
	if err != nil {
		t.Fatal(err)
	}
	Migrate(t, settings)
	return settings, public, admin
}

func Migrate(t *testing.T, settings string) {
	t.Helper()
	engine, _, err := server.OpenEngine(t.Context(), Options(t, settings, new(Clock)))
	if err == nil {
		err = errors.Join(engine.Migrate(t.Context()), engine.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Options returns the options of a server with these settings and this clock.
func Options(t *testing.T, settings string, c *Clock) server.Options {
	t.Helper()
	loaded, err := config.Load(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := server.NewOptions(loaded, server.NewLog(t.Output(), loaded.LogLevel), c.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// OnBoth runs a test with the settings of an installation on each database.
func OnBoth(t *testing.T, test func(t *testing.T, settings string)) {
	t.Run("SQLite", func(t *testing.T) {
		settings, _, _ := NewInstallation(t)
		test(t, settings)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		settings, _, _ := NewInstallation(t)
		text, err := os.ReadFile(settings)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(text), "database:")
		if err := os.WriteFile(settings, fmt.Appendf([]byte(head), "database:\n  dsn: %q\n", storagetest.Postgres(t)), 0o600); err != nil {
			t.Fatal(err)
		}
		Migrate(t, settings)
		test(t, settings)
	})
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
