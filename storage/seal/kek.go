package seal

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"sallyport/input"
)

const (
	keyLength     = 32
	maxKeyFile    = 64 << 10
	maxKEKName    = 64
	hidden        = "hidden"
	keyFileHeader = "# Key-encryption keys of Sallyport, one a line: name:base64 of 32 random bytes.\n" +
		"# The first one seals, all of them open. Without this file the database can not be read.\n"
)

// KEK is a key-encryption key. It prints only its name.
type KEK struct {
	ID  string
	key func() []byte // a function, because no verb prints its result
}

// Format hides the key from every verb of package fmt.
func (k KEK) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// String names the key without showing it.
func (k KEK) String() string { return "KEK(" + k.ID + ", " + hidden + ")" }

// GoString hides the key.
func (k KEK) GoString() string { return k.String() }

// LogValue hides the key.
func (k KEK) LogValue() slog.Value { return slog.StringValue(k.String()) }

// ParseKEKs parses a key file. The first key is the current one. Errors never quote a
// line, which could hold part of a key.
func ParseKEKs(text []byte) ([]KEK, error) {
	if len(text) > maxKeyFile {
		return nil, errors.New("key file: larger than 64 KiB")
	}
	content, err := input.Text(text)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	var keks []KEK
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(content) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		kek, err := parseKEK(line)
		if err != nil {
			return nil, fmt.Errorf("key file: line %d: %w", n, err)
		}
		if seen[kek.ID] {
			return nil, fmt.Errorf("key file: line %d: the name occurs twice", n)
		}
		seen[kek.ID] = true
		keks = append(keks, kek)
	}
	if len(keks) == 0 {
		return nil, errors.New("key file: no key")
	}
	return keks, nil
}

func parseKEK(line string) (KEK, error) {
	name, encoded, ok := strings.Cut(line, ":")
	if !ok || !validKEKName(name) {
		return KEK{}, errors.New("want name:base64, the name of letters, digits, '.', '_' and '-'")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != keyLength {
		return KEK{}, errors.New("want 32 bytes in standard base64 after the name")
	}
	// Example files hold a key of equal bytes, which must never protect anything.
	if subtle.ConstantTimeCompare(raw, bytes.Repeat(raw[:1], keyLength)) == 1 {
		return KEK{}, errors.New("this key is a placeholder; create a real one")
	}
	return KEK{ID: name, key: func() []byte { return raw }}, nil
}

func validKEKName(name string) bool {
	if name == "" || len(name) > maxKEKName {
		return false
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// NewKeyFile returns the text of a new key file with one key.
func NewKeyFile(random io.Reader) []byte {
	var b [4 + keyLength]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		panic("seal: no randomness: " + err.Error())
	}
	return fmt.Appendf(nil, "%skek-%x:%s\n", keyFileHeader, b[:4], base64.StdEncoding.EncodeToString(b[4:]))
}

// ReadKeyFile reads a key file.
func ReadKeyFile(path string) ([]KEK, error) {
	text, err := ReadPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return ParseKEKs(text)
}

// ReadPrivate reads a small file that only its owner can access, and a group can read.
func ReadPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Stat the open file, so that it cannot be exchanged in between.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	// A group may read, because service managers and orchestrators provide secrets that
	// way: systemd's credentials and Kubernetes' volumes have mode 0440.
	if info.Mode().Perm()&0o027 != 0 {
		return nil, fmt.Errorf("mode %04o gives others access, want 0600 or 0400 (0440 for a group)", info.Mode().Perm())
	}
	return io.ReadAll(io.LimitReader(f, maxKeyFile+1))
}
