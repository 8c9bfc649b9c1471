// Package play has helpers for tests of the whole server: the built program, users, codes
// of authenticator apps, and a browser without scripts. They return errors instead of
// failing tests.
package play

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // SHA-1 is what RFC 6238 authenticators speak
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Race are the flags that build a server with the race detector, as the Makefile builds tests
// and says why.
var Race = []string{"-race", "-gcflags=modernc.org/...=-race=false", "-gcflags=golang.org/x/crypto/argon2=-race=false", "-gcflags=golang.org/x/crypto/blake2b=-race=false", "-gcflags=golang.org/x/text/...=-race=false",
	"-gcflags=crypto/internal/fips140/bigmod=-race=false", "-gcflags=crypto/internal/fips140/nistec/...=-race=false", "-gcflags=math/big=-race=false", "-gcflags=regexp/...=-race=false", "-gcflags=html/template=-race=false",
	"-gcflags=text/template/parse=-race=false", "-gcflags=strings=-race=false", "-gcflags=strconv=-race=false", "-gcflags=unicode/...=-race=false"}

// Build builds the server into a folder and returns its path.
func Build(dir string, flags ...string) (string, error) {
	program := filepath.Join(dir, "sallyport")
	args := append([]string{"build", "-tags", "nomsgpack", "-o", program}, flags...)
	if out, err := exec.Command("go", append(args, "sallyport/cmd/sallyport")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return program, nil
}

// Random returns n random bytes in hexadecimal.
func Random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// given are the ports that FreePort has returned, with the two that follow each. Tests run in
// parallel, and use some of them late.
var given sync.Map

// FreePort returns a free loopback port, followed by two more free ones, below the
// ephemeral range, from which another process could take it. It returns none twice.
func FreePort() (int, error) {
	for range 1000 {
		port := 10_000 + 3*mathrand.IntN(20_000/3)
		if _, taken := given.LoadOrStore(port, true); !taken && free(port) && free(port+1) && free(port+2) {
			return port, nil
		}
	}
	return 0, errors.New("no three ports are free")
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// User is a user of the server.
type User struct {
	Name, Email, Password string
	TOTP                  string // base32; "": has no authenticator app
}

// NewUser returns a new user, who exists when State is applied.
func NewUser(name string, totp bool) User {
	u := User{Name: name, Email: name + "@example.com", Password: "correct horse " + Random(6)}
	if totp {
		u.TOTP = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(Random(10)))
	}
	return u
}

// State returns the user's entry in a desired-state file.
func (u User) State() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - username: %s\n    email: %s\n    email_verified: true\n    password: %q\n    profile: {name: \"The %s\", given_name: User, family_name: %q}\n",
		u.Name, u.Email, u.Password, u.Name, u.Name)
	if u.TOTP != "" {
		fmt.Fprintf(&b, "    totp_secret: %s\n    recovery_codes: [%s]\n", u.TOTP, strings.Join(u.RecoveryCodes(), ", "))
	}
	return b.String()
}

// RecoveryCodes returns the three recovery codes of a user with an authenticator app.
func (u User) RecoveryCodes() []string {
	codes := make([]string, 3)
	for i := range codes {
		codes[i] = fmt.Sprintf("%024s", strings.Repeat(string(rune('a'+i)), 12)+strings.ToLower(u.TOTP)[:12])
	}
	return codes
}

// TOTPAt is an independent implementation of RFC 6238: SHA-1, 6 digits.
func TOTPAt(secret string, step int64) (string, error) {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.ReplaceAll(secret, " ", "")))
	if err != nil {
		return "", fmt.Errorf("TOTP secret: %w", err)
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, key)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1000000), nil
}

// Lines collects the output of a process.
type Lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns the output.
func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
