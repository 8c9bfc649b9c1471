package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sallyport/config"
	"sallyport/storage/seal"
)

// adminKeyBytes of randomness are in the key of the admin API (H-12).
const adminKeyBytes = 32

func keyfile(_ context.Context, p *program, args []string) error {
	f := p.flags("keyfile", "make a new key file (mode 0600); an existing file is never replaced")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	return writeNew(f.Arg(0), seal.NewKeyFile(p.random))
}

func adminkey(_ context.Context, p *program, args []string) error {
	f := p.flags("adminkey", "make a new key of the admin API (mode 0600); an existing file is never replaced", "FILE",
		"The setting admin_key_file names the file, and so does the flag --admin-key-file of the commands.")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	key, err := newSecretText(p.random)
	if err != nil {
		return err
	}
	return writeNew(f.Arg(0), []byte(key.Reveal()+"\n"))
}

// newSecretText makes a secret of 256 random bits in 43 characters.
func newSecretText(random io.Reader) (config.Secret, error) {
	var b [adminKeyBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make secret: %w", err)
	}
	return config.Secret(base64.RawURLEncoding.EncodeToString(b[:])), nil
}

// readAdminKey reads the file of an admin key. No error holds a part of what is in it.
func readAdminKey(path string) (config.Secret, error) {
	key, err := readKeyLine(path)
	if err != nil {
		return "", err
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(key.Reveal())
	if err != nil || len(b) != adminKeyBytes {
		return "", errors.New("want one line of 43 characters, as sallyport adminkey writes it")
	}
	if bytes.Equal(b, bytes.Repeat(b[:1], adminKeyBytes)) {
		return "", errors.New("this key is a placeholder; make a real one with sallyport adminkey")
	}
	return key, nil
}

// readKeyLine reads a key that somebody may show to an admin API: the one of its file,
// or an API key.
func readKeyLine(path string) (config.Secret, error) {
	text, err := seal.ReadPrivate(path)
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(string(text))
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("want one line with nothing but the key")
	}
	return config.Secret(key), nil
}

// writeNew writes a secret into a new file that only its owner can read.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(fmt.Errorf("write file: %w", err), f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}
