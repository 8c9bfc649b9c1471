package password

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/mfa"
)

func TestFilesThatCannotBeSearchedAreRefused(t *testing.T) {
	var lines []string
	for _, plain := range breachedPasswords(9) {
		lines = append(lines, sha1Hex(plain))
	}
	good := strings.Join(lines, "\n")
	swapped := slices.Clone(lines)
	swapped[4], swapped[5] = swapped[5], swapped[4]
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", "no hash"},
		{"line ends only", "\n\r\n", "no hash"},
		{"a byte order mark only", "\ufeff", "no hash"},
		{"two lines in the wrong order", strings.Join(swapped, "\n"), "not sorted"},
		{"the last one first", lines[8] + "\n" + good, "not sorted"},
		{"hashes of another kind", "8846F7EAEE8FB117AD06BDD830B7586C\n" + good, "no SHA-1"},
		{"a longer hash", lines[0] + "00\n" + good, "no SHA-1"},
		{"the passwords themselves", "password\n123456\n", "no SHA-1"},
		{"a letter that is not hexadecimal", strings.Replace(good, "A", "G", 1), "no SHA-1"},
		{"a malformed count", lines[0] + ":many\n" + good, "no SHA-1"},
		{"a colon without a count", lines[0] + ":\n" + good, "no SHA-1"},
		{"blanks before it", " " + good, "no SHA-1"},
		{"an empty line between", lines[0] + "\n\n" + lines[1], "no SHA-1"},
		{"an endless line", good + "\n" + strings.Repeat("F", 5000) + "\n" + strings.Repeat("F", 40), "no SHA-1"},
		{"a count that is too long", lines[0] + ":" + strings.Repeat("1", maxLine-41), "no SHA-1"},
		{"a count that never ends", lines[0] + ":" + strings.Repeat("1", 300), "no SHA-1"},
		{"two bytes a character", "\xff\xfe" + strings.Join(strings.Split(good, ""), "\x00") + "\x00", "no SHA-1"},
		{"a compressed file", "7z\xbc\xaf\x27\x1c\x00\x04", "no SHA-1"},
	} {
		err := CheckBreached(hashFileOf(t, tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), lines[0]) {
			t.Errorf("%s: the error shows what is in the file: %v", tc.name, err)
		}
	}
	dir := t.TempDir()
	for path, want := range map[string]string{filepath.Join(dir, "none"): "no such file", dir: "is no file", os.DevNull: "is no file"} {
		if err := CheckBreached(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// longFile writes 40,000 hashes, too many to check line by line, optionally unsorted.
func longFile(tb testing.TB, bySize bool) string {
	tb.Helper()
	lines := make([]string, 40_000)
	for i, plain := range breachedPasswords(len(lines)) {
		lines[i] = fmt.Sprintf("%s:%d", sha1Hex(plain), (i*7919)%len(lines))
	}
	if bySize {
		slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[41:], b[41:]) })
	}
	text := strings.Join(lines, "\r\n")
	if len(text) < maxFullScan {
		tb.Fatalf("%d bytes are no long file", len(text))
	}
	return hashFileOf(tb, text)
}

func TestLongFilesAreSampled(t *testing.T) {
	path, other := longFile(t, false), longFile(t, true)
	if err := CheckBreached(path); err != nil {
		t.Error(err)
	}
	if err := CheckBreached(other); err == nil || !strings.Contains(err.Error(), "not sorted") {
		t.Errorf("sorted by count: %v, want a refusal", err)
	}
	for i := range 400 {
		if found, err := breached(path, fmt.Sprintf("stranger qzvkjxwp %d", i*100)); !found || err != nil {
			t.Errorf("number %d: %v, %v", i*100, found, err)
		}
		if found, err := breached(path, fmt.Sprintf("nobody %d", i)); found || err != nil {
			t.Errorf("nobody %d: %v, %v", i, found, err)
		}
	}
}

func TestTheFileMayBeReplacedWhileServing(t *testing.T) {
	all := breachedPasswords(3000)
	text := func(n int) string {
		var b strings.Builder
		for i, plain := range all {
			if i == 1500 || i%n == 0 { // one is in every file
				fmt.Fprintf(&b, "%s:%d\n", sha1Hex(plain), n)
			}
		}
		return b.String()
	}
	o := cheap()
	o.Breached = hashFileOf(t, text(1))
	p := New(testKeyring(t), atNoon, rand.Reader, o)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := p.Check(all[1500]); mfa.CodeOf(err) != mfa.PasswordBreached {
					t.Errorf("while the file is replaced: %v", err)
					return
				}
			}
		})
	}
	for n := range 200 {
		put(t, o.Breached, text(n%7+1))
	}
	close(done)
	wg.Wait()

	put(t, o.Breached, sha1Hex(all[7]))
	for plain, want := range map[string]mfa.Code{all[7]: mfa.PasswordBreached, all[1500]: ""} {
		if err := p.Check(plain); mfa.CodeOf(err) != want {
			t.Errorf("of the new file: %v, want %q", err, want)
		}
	}
	for name, spoil := range map[string]func() error{
		"gone":       func() error { return os.Remove(o.Breached) },
		"empty":      func() error { return os.Truncate(o.Breached, 0) },
		"cut off":    func() error { return os.Truncate(o.Breached, 20) },
		"a folder":   func() error { return errors.Join(os.Remove(o.Breached), os.Mkdir(o.Breached, 0o700)) },
		"not hashes": func() error { return os.WriteFile(o.Breached, []byte("password\n"), 0o600) },
	} {
		put(t, o.Breached, sha1Hex(all[7]))
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		var e *mfa.Error
		if err := p.Check(all[1500]); !errors.As(err, &e) || e.Code != mfa.PasswordUnchecked || e.RetryAfter != time.Minute || !e.NeedsOperator() || e.Err == nil {
			t.Errorf("%s: %v, want %s", name, err, mfa.PasswordUnchecked)
		}
		if err := p.Check("password1"); mfa.CodeOf(err) != mfa.PasswordTooCommon {
			t.Errorf("%s: a common one: %v", name, err)
		}
		if err := os.RemoveAll(o.Breached); err != nil {
			t.Fatal(err)
		}
	}
	put(t, o.Breached, sha1Hex(all[7]))
	if err := p.Check(all[1500]); err != nil {
		t.Errorf("after it came back: %v", err)
	}
}

func TestAFileThatIsWrittenToIsRefused(t *testing.T) {
	path := hashFileOf(t, sha1Hex("x")+"\n")
	f, err := openHashes(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.file.Close()
	if err := f.checkUnchanged(); err != nil {
		t.Errorf("nothing happened: %v", err)
	}
	if err := os.WriteFile(path, []byte(sha1Hex("y")+"\n"+sha1Hex("x")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.checkUnchanged(); !errors.Is(err, errChanged) {
		t.Errorf("it is longer: %v", err)
	}
}
