package password

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/mfa"
)

func sha1Hex(plain string) string {
	sum := sha1.Sum([]byte(plain))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

func hashFileOf(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "breached.txt")
	put(tb, path, text)
	return path
}

// put replaces a file by renaming, as documented for operators.
func put(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}

// breachedPasswords returns passwords that no other rule refuses, in the order of their hashes.
func breachedPasswords(n int) []string {
	by := map[string]string{}
	for i := range n {
		plain := fmt.Sprintf("stranger qzvkjxwp %d", i)
		by[sha1Hex(plain)] = plain
	}
	out := make([]string, 0, n)
	for _, hash := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[hash])
	}
	return out
}

func TestABreachedPasswordIsRefused(t *testing.T) {
	all := breachedPasswords(21)
	var in, lines []string // each second one is in the file: there are gaps everywhere
	for i := 1; i < len(all); i += 2 {
		in, lines = append(in, all[i]), append(lines, sha1Hex(all[i]))
	}
	counted := slices.Clone(lines)
	for i := range counted {
		counted[i] += ":" + strings.Repeat("7", i+1)
	}
	for name, text := range map[string]string{
		"LF":                  strings.Join(lines, "\n") + "\n",
		"counts":              strings.Join(counted, "\n") + "\n",
		"CRLF":                strings.Join(counted, "\r\n") + "\r\n",
		"no last line end":    strings.Join(lines, "\n"),
		"CRLF, none at last":  strings.Join(counted, "\r\n"),
		"empty lines at last": strings.Join(lines, "\n") + "\n\r\n\n",
		"a byte order mark":   "\ufeff" + strings.Join(counted, "\r\n") + "\r\n",
		"lower case":          strings.ToLower(strings.Join(lines, "\n")),
		"both cases":          strings.ToLower(lines[0]) + "\n" + strings.Join(lines[1:], "\n"),
		"a hash twice":        strings.Join(slices.Insert(slices.Clone(lines), 3, lines[3]), "\n"),
	} {
		o := cheap()
		o.Breached = hashFileOf(t, text)
		if err := CheckBreached(o.Breached); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p := New(testKeyring(t), atNoon, rand.Reader, o)
		for _, plain := range all {
			want := mfa.Code("")
			if slices.Contains(in, plain) {
				want = mfa.PasswordBreached
			}
			if err := p.Check(plain); mfa.CodeOf(err) != want {
				t.Errorf("%s: %s is %v, want %q", name, sha1Hex(plain), err, want)
			}
		}
	}
}

// The file has passwords as typed, on any keyboard.
func TestEverySpellingIsLookedUp(t *testing.T) {
	const composed, decomposed = "gr\u00fcne Wellen im M\u00e4rz", "gru\u0308ne Wellen im Ma\u0308rz"
	for _, in := range []string{composed, decomposed} {
		o := cheap()
		o.Breached = hashFileOf(t, sha1Hex(in))
		if err := New(testKeyring(t), atNoon, rand.Reader, o).Check(decomposed); mfa.CodeOf(err) != mfa.PasswordBreached {
			t.Errorf("%q in the file: %v", in, err)
		}
	}
}
