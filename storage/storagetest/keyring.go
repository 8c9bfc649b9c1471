package storagetest

import (
	"crypto/rand"
	"testing"
	"time"

	"sallyport/storage"
	"sallyport/storage/seal"
)

// Keyring returns a keyring with its first keys, and their rows. Without algs there are no
// signing keys, since RSA keys take long to generate.
func Keyring(t testing.TB, now time.Time, algs ...string) (*seal.Keyring, []storage.Key) {
	t.Helper()
	keks, err := seal.ParseKEKs(seal.NewKeyFile(rand.Reader))
	if err != nil {
		t.Fatal(err)
	}
	keyring := seal.New(keks, rand.Reader)
	rows, err := keyring.First(now, algs...)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Load(rows, now); err != nil {
		t.Fatal(err)
	}
	return keyring, rows
}
