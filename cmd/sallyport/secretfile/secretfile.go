// Package secretfile creates and reads files that hold one secret: keys of the admin API,
// API keys, and the secrets that settings name.
package secretfile

import (
	"bytes"
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

// newSecretText makes a secret of 256 random bits in 43 characters.
func NewKey(random io.Reader) (config.Secret, error) {
	var b [adminKeyBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make secret: %w", err)
	}
	return config.Secret(base64.RawURLEncoding.EncodeToString(b[:])), nil
}

// readAdminKey reads the file of an admin key. No error holds a part of what is in it.
func ReadAdminKey(path string) (config.Secret, error) {
	key, err := ReadKey(path)
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
func ReadKey(path string) (config.Secret, error) {
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
func Write(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(fmt.Errorf("write file: %w", err), f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// secretFault says what is wrong with the file of a secret. A group may read it, because
// that is how orchestrators hand secrets to a process; everybody may not.
func Fault(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err.Error()
	case !info.Mode().IsRegular():
		return "is no file"
	case info.Mode().Perm()&0o027 != 0:
		return "everybody on this machine can reach it, or a group can change it; chmod 600 makes it its owner's"
	}
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	if err := f.Close(); err != nil {
		return err.Error()
	}
	return ""
}
