package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/cli"
	"sallyport/cmd/sallyport/dev"
	"sallyport/cmd/sallyport/secretfile"
	"sallyport/cmd/sallyport/server"
	"sallyport/config"
	"sallyport/provider/desired"
	"sallyport/storage/seal"
)

// operatorFile is a kind of file that operators write.
type operatorFile struct {
	kind, content string
	pem           bool
	read          func(path string) (any, error)
}

// operatorFiles are all kinds of files that operators write, except hashes of breached
// passwords (mfa/password) and certificates to trust (adminclient).
func operatorFiles(t *testing.T) []operatorFile {
	cert, key, err := dev.NewCertificate("localhost", time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	if err := errors.Join(os.WriteFile(certFile, cert, 0o600), os.WriteFile(keyFile, key, 0o600)); err != nil {
		t.Fatal(err)
	}
	password := func(path string) (any, error) {
		p, _, _ := testProgram()
		return readPassword(p, path)
	}
	return []operatorFile{
		{"settings", "# für uns\nproduct: Bücher\ndatabase:\n  dsn: sqlite:a.db\n", false, func(path string) (any, error) {
			c, err := config.Load(path, []string{"SALLYPORT_ISSUER=http://localhost", "SALLYPORT_KEY_FILE=k", "SALLYPORT_TRUSTED_PROXIES=127.0.0.1"})
			return c.Product + c.Database.DSN, err
		}},
		{"a desired state", "# für uns\nusers:\n- username: jürgen\n  password: |-\n    Herbstküche 44\n", false, func(path string) (any, error) {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			s, err := desired.Parse(path, text)
			if err != nil {
				return nil, err
			}
			return s.Users[0].Username + s.Users[0].Password, nil
		}},
		{"a password", "Herbstküche 44\n", false, password},
		{"a password from standard input", "Herbstküche 44\n", false, func(path string) (any, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			p, _, _ := testProgram()
			p.In = f
			return readPassword(p, "-")
		}},
		{"the password for the mail server", "Herbstküche 44\n", false, func(path string) (any, error) {
			return server.MailPassword(config.Mail{PasswordFile: path})
		}},
		{"the secrets of the hook", strings.Repeat("x", 24) + "\nwhsec_" + base64.StdEncoding.EncodeToString(make([]byte, 24)) + "\n", false, func(path string) (any, error) {
			return server.HookSecrets(config.Hook{SecretFile: path})
		}},
		{"a data source name", "sqlite:ü.db\n", false, func(path string) (any, error) {
			return config.Config{Database: config.Database{DSNFile: path}}.ReadDSN()
		}},
		{"headers for the collector", "# für uns\nApi-Key: abc\nX-Tenant: küche\n", false, func(path string) (any, error) {
			return config.Tracing{HeadersFile: path}.ReadHeaders()
		}},
		{"a key of the admin API", base64.RawURLEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")) + "\n", false, func(path string) (any, error) {
			return secretfile.ReadAdminKey(path)
		}},
		{"an API key", "sk-abc\n", false, func(path string) (any, error) { return secretfile.ReadKey(path) }},
		{"key-encryption keys", string(seal.NewKeyFile(rand.Reader)) + "# für uns\n", false, func(path string) (any, error) { return seal.ReadKeyFile(path) }},
		{"the certificates of the mail server", string(cert), true, func(path string) (any, error) {
			pool, err := server.MailCA(config.Mail{CAFile: path})
			return pool != nil, err
		}},
		{"the certificate of a listener", string(cert), true, func(path string) (any, error) {
			_, err := server.Certificate(config.TLS{Cert: path, Key: keyFile})
			return nil, err
		}},
		{"the key of a listener", string(key), true, func(path string) (any, error) {
			_, err := server.Certificate(config.TLS{Cert: certFile, Key: path})
			return nil, err
		}},
	}
}

func TestFilesOfOperatorsAreReadAsEveryEditorWritesThem(t *testing.T) {
	for _, f := range operatorFiles(t) {
		read := func(content string) (string, error) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			v, err := f.read(path)
			return fmt.Sprintf("%#v", v), err
		}
		want, err := read(f.content)
		if err != nil {
			t.Errorf("%s: %v", f.kind, err)
			continue
		}
		windows := strings.ReplaceAll(f.content, "\n", "\r\n")
		for variant, content := range map[string]string{"a byte order mark": "\ufeff" + f.content, "CRLF": windows, "both": "\ufeff" + windows,
			"no final line break": strings.TrimSuffix(f.content, "\n")} {
			if got, err := read(content); got != want || err != nil {
				t.Errorf("%s with %s: %s, %v, want %s", f.kind, variant, got, err, want)
			}
		}
		if f.pem {
			continue // readers of PEM skip what surrounds it
		}
		for variant, content := range map[string]string{"Latin-1": latin1(f.content), "UTF-16": "\xff\xfe" + strings.Join(strings.Split(f.content, ""), "\x00")} {
			_, err := read(content)
			if err == nil || !strings.Contains(err.Error(), "UTF-8") {
				t.Errorf("%s in %s: %v", f.kind, variant, err)
			}
			if err != nil && (strings.Contains(err.Error(), "Herbst") || strings.Contains(err.Error(), "\xfc")) {
				t.Errorf("%s in %s: the error quotes the file: %v", f.kind, variant, err)
			}
		}
	}
}

// latin1 returns a text in ISO 8859-1, with one letter that is not ASCII at least.
func latin1(text string) string {
	if !strings.Contains(text, "ü") {
		return strings.TrimSuffix(text, "\n") + "\xfc\n"
	}
	return strings.ReplaceAll(text, "ü", "\xfc")
}

func TestArgumentsAreUTF8(t *testing.T) {
	p, _, errOut := testProgram()
	if code := p.Main(t.Context(), commands(), []string{"user", "create", "--username", "J\xfcrgen"}); code != cli.ExitUsage {
		t.Errorf("exit code %d", code)
	}
	if got := errOut.String(); !strings.Contains(got, "argument 4 is not UTF-8") || bytes.ContainsRune([]byte(got), '\xfc') {
		t.Errorf("error: %q", got)
	}
	_, err := config.Parse("", nil, []string{"SALLYPORT_PRODUCT=B\xfccher"})
	if err == nil || !strings.Contains(err.Error(), "SALLYPORT_PRODUCT: is not UTF-8") {
		t.Errorf("a variable: %v", err)
	}
}
