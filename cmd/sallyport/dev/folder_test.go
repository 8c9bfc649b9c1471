package dev

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
)

func TestDataFolderKeepsItsSecrets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := openSecrets(t, dir, false)
	if again := openSecrets(t, dir, false); !reflect.DeepEqual(again, first) {
		t.Errorf("after a restart: %v, want %v", again, first)
	}
	if fresh := openSecrets(t, dir, true); reflect.DeepEqual(fresh, first) {
		t.Error("after --reset the secrets are the old ones")
	}
	if typed := regexp.MustCompile(`^[a-z]+-[a-z]+-[a-z]+-[1-9][0-9]$`); !typed.MatchString(first.Alice.Password) {
		t.Errorf("password %q, want three words and two digits", first.Alice.Password)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", e.Name(), info.Mode(), err)
		}
	}
}

func openSecrets(t *testing.T, dir string, reset bool) secrets {
	t.Helper()
	f, err := openFolder(dir, reset)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if _, err := f.keks(rand.Reader); err != nil {
		t.Fatal(err)
	}
	s, err := f.secrets(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSeedsAreAValidState(t *testing.T) {
	s := openSecrets(t, filepath.Join(t.TempDir(), "data"), false)
	for _, at := range []place{{name: "localhost", port: 8080}, {name: "192.168.1.20", port: 443, secure: true}, {name: "::1", port: 8080}} {
		state := seeds(at, s)
		if err := state.Validate(); err != nil {
			t.Errorf("seeds for %s: %v", at.issuer(), err)
		}
	}
}
