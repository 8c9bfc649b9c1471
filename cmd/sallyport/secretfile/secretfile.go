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
	"sallyport/input"
	"sallyport/storage/seal"
)

// adminKeyBytes is the length of a key of the admin API (H-12).
const adminKeyBytes = 32

// NewKey returns 256 random bits in 43 characters.
func NewKey(random io.Reader) (config.Secret, error) {
	var b [adminKeyBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("create secret: %w", err)
	}
	return config.Secret(base64.RawURLEncoding.EncodeToString(b[:])), nil
}

// ReadAdminKey reads the file of an admin key. No error discloses its content.
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
		return "", errors.New("this key is a placeholder; create a real one with sallyport adminkey")
	}
	return key, nil
}

// ReadKey reads a key that an admin API may accept: an admin key or an API key.
func ReadKey(path string) (config.Secret, error) {
	content, err := seal.ReadPrivate(path)
	if err != nil {
		return "", err
	}
	text, err := input.Text(content)
	if err != nil {
		return "", err
	}
	key := strings.TrimSpace(text)
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("want one line with nothing but the key")
	}
	return config.Secret(key), nil
}

// Write creates a file that only its owner can read. It does not replace one.
func Write(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create file: %w", err)
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(fmt.Errorf("write file: %w", err), f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// Fault returns what is wrong with the file of a secret, or nothing. A group may read it,
// because orchestrators mount secrets so; others may not.
func Fault(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err.Error()
	case !info.Mode().IsRegular():
		return "is not a file"
	case info.Mode().Perm()&0o027 != 0:
		return "others on this machine can access it, or its group can change it; chmod 600 restricts it to its owner"
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
