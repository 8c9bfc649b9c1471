package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseKEKs(t *testing.T) {
	good := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, c := range []struct {
		name, text string
		want       []string // names in order; nil: refused
	}{
		{"one key", "a:" + good, []string{"a"}},
		{"the first is the current one", "new.2:" + good + "\nold_1:" + good + "\n", []string{"new.2", "old_1"}},
		{"comments, empty lines, spaces and CRLF", "# a comment\r\n\r\n  a:" + good + "  \r\n", []string{"a"}},
		{"nothing", "", nil},
		{"comments only", "# a:" + good, nil},
		{"no name", ":" + good, nil},
		{"no separator", good, nil},
		{"a name with a space", "a b:" + good, nil},
		{"a name that is too long", strings.Repeat("a", 65) + ":" + good, nil},
		{"a name that occurs twice", "a:" + good + "\na:" + good, nil},
		{"no key", "a:", nil},
		{"not base64", "a:!" + good[1:], nil},
		{"base64 of the URL kind", "a:" + strings.Repeat("_", 43) + "=", nil},
		{"base64 without padding", "a:" + strings.TrimRight(good, "="), nil},
		{"31 bytes", "a:" + base64.StdEncoding.EncodeToString(make([]byte, 31)), nil},
		{"33 bytes", "a:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 33))), nil},
		{"a placeholder of zeros", "a:" + base64.StdEncoding.EncodeToString(make([]byte, 32)), nil},
		{"a placeholder of letters", "a:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32))), nil},
		{"a placeholder of words", "a:change-me", nil},
		{"a placeholder behind a good key", "a:" + good + "\nb:" + base64.StdEncoding.EncodeToString(make([]byte, 32)), nil},
		{"a file that is far too long", strings.Repeat("#\n", 40000) + "a:" + good, nil},
	} {
		keks, err := ParseKEKs([]byte(c.text))
		if (err == nil) != (c.want != nil) || len(keks) != len(c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, keks, err, c.want)
			continue
		}
		for i, k := range keks {
			if k.ID != c.want[i] {
				t.Errorf("%s: key %d is %q, want %q", c.name, i, k.ID, c.want[i])
			}
		}
		if err != nil && len(c.text) > 20 && strings.Contains(err.Error(), good[:10]) {
			t.Errorf("%s: the error contains part of the key: %v", c.name, err)
		}
	}
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := NewKeyFile(rand.Reader)
	for _, c := range []struct {
		name, path string
		ok         bool
	}{
		{"owner only", write("600", 0o600, text), true},
		{"owner may only read", write("400", 0o400, text), true},
		{"readable for the group, as service managers have it", write("440", 0o440, text), true},
		{"the owner may write besides", write("640", 0o640, text), true},
		{"readable for everybody", write("604", 0o604, text), false},
		{"writable for the group", write("620", 0o620, text), false},
		{"empty", write("empty", 0o600, nil), false},
		{"missing", filepath.Join(dir, "missing"), false},
		{"a directory", dir, false},
	} {
		keks, err := ReadKeyFile(c.path)
		if (err == nil) != c.ok || (len(keks) == 1) != c.ok {
			t.Errorf("%s: got %v, %v, want ok %v", c.name, keks, err, c.ok)
		}
	}
	if again := NewKeyFile(rand.Reader); bytes.Equal(again, text) {
		t.Error("two new key files are equal")
	}
}

// TestKeysAreNotPrinted: every way to print a key prints only its name.
func TestKeysAreNotPrinted(t *testing.T) {
	keks := newKEKs(t, 1)
	k := loaded(t, keks, 1, "ES256", "EdDSA")
	secrets := [][]byte{keks[0].key()}
	for _, o := range k.state.Load().byID {
		if secrets = append(secrets, o.pepper); o.mac != nil {
			secrets = append(secrets, o.mac.key, o.mask.key)
		}
		if key, ok := o.signer.(ed25519.PrivateKey); ok {
			secrets = append(secrets, key)
		}
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	jsonLogger := slog.New(slog.NewJSONHandler(&log, nil))
	var printed []string
	for _, v := range []any{keks[0], &keks[0], keks, struct{ K KEK }{keks[0]}, struct{ k []KEK }{keks}, k, k.Signings("oidc")[0], k.Signings("oidc"),
		struct{ k *Keyring }{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			printed = append(printed, fmt.Sprintf(verb, v))
		}
		if b, err := json.Marshal(v); err == nil {
			printed = append(printed, string(b))
		}
		logger.Info("x", "v", v)
		jsonLogger.Info("x", "v", v)
	}
	all := strings.Join(printed, "\n") + log.String()
	for _, s := range secrets {
		if s == nil {
			continue
		}
		for _, form := range []string{string(s), hex.EncodeToString(s), strings.ToUpper(hex.EncodeToString(s)),
			base64.StdEncoding.EncodeToString(s), strings.Trim(fmt.Sprint(s), "[]"), strings.Trim(fmt.Sprintf("%#v", s), "[]byte{}")} {
			if strings.Contains(all, form) {
				t.Fatalf("a key is printed as %q:\n%s", form, all)
			}
		}
	}
	if !strings.Contains(keks[0].String(), keks[0].ID) {
		t.Errorf("String() = %q, want it to contain the name", keks[0])
	}
}

func FuzzParseKEKs(f *testing.F) {
	f.Add(NewKeyFile(rand.Reader))
	f.Add([]byte("a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
	f.Add([]byte("#\n:\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keks, err := ParseKEKs(text)
		if (err == nil) == (len(keks) == 0) {
			t.Errorf("ParseKEKs(%q) = %v, %v", text, keks, err)
		}
		for _, k := range keks {
			if k.key == nil || !validKEKName(k.ID) {
				t.Errorf("ParseKEKs(%q) gave %v", text, k)
			}
		}
	})
}
