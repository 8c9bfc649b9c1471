package password

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
		p := New(testKeyring(t), rand.Reader, o)
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
		if err := New(testKeyring(t), rand.Reader, o).Check(decomposed); mfa.CodeOf(err) != mfa.PasswordBreached {
			t.Errorf("%q in the file: %v", in, err)
		}
	}
}

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
		{"a letter that is no digit", strings.Replace(good, "A", "G", 1), "no SHA-1"},
		{"a count that is none", lines[0] + ":many\n" + good, "no SHA-1"},
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

// A search in a file sorted by count returns an error, not "not found", where it reads two
// hashes in the wrong order.
func TestASearchDetectsAnUnsortedFile(t *testing.T) {
	path, detected := longFile(t, true), 0
	for i := range 200 {
		if _, err := breached(path, fmt.Sprintf("nobody %d", i)); err != nil {
			detected++
		}
	}
	if detected < 150 {
		t.Errorf("%d of 200 searches saw it", detected)
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
	p := New(testKeyring(t), rand.Reader, o)
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

// naive searches line by line, and reports whether the file is well-formed.
func naive(text []byte, want [sha1.Size]byte) (found, sound bool) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.TrimRight(text, "\r\n")
	var before []byte
	sound = len(text) > 0
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		hash, ok := hashOf(line)
		if !ok || len(line) >= maxLine || bytes.Compare(hash, before) < 0 {
			return false, false
		}
		found, before = found || bytes.Equal(hash, want[:]), hash
	}
	return found, sound
}

// TestSearchingFindsWhatReadingFinds compares bisection with a full read, over files of
// adjacent hashes.
func TestSearchingFindsWhatReadingFinds(t *testing.T) {
	r := mathrand.New(mathrand.NewPCG(1, 2))
	hash := func(i int) (sum [sha1.Size]byte) {
		binary.BigEndian.PutUint16(sum[r.IntN(2)*9:], uint16(i)) //nolint:gosec // small
		return sum
	}
	path := hashFileOf(t, "")
	for range 300 {
		var sums [][sha1.Size]byte
		for range r.IntN(60) + 1 {
			sums = append(sums, hash(r.IntN(40)))
		}
		slices.SortFunc(sums, func(a, b [sha1.Size]byte) int { return bytes.Compare(a[:], b[:]) })
		var b bytes.Buffer
		w, end := bufio.NewWriter(&b), []string{"\n", "\r\n"}[r.IntN(2)]
		for i, sum := range sums {
			if i > 0 {
				fmt.Fprint(w, end)
			}
			fmt.Fprint(w, []string{hex.EncodeToString(sum[:]), strings.ToUpper(hex.EncodeToString(sum[:]))}[r.IntN(2)])
			if n := r.IntN(20); n > 0 {
				fmt.Fprint(w, ":", strings.Repeat("9", n))
			}
		}
		w.Flush()
		put(t, path, b.String())
		if err := CheckBreached(path); err != nil {
			t.Fatalf("%v:\n%s", err, b.String())
		}
		f, err := openHashes(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			want := hash(r.IntN(40))
			found, err := f.contains(want)
			if by, _ := naive(b.Bytes(), want); found != by || err != nil {
				t.Fatalf("%x: %v, %v; want %v in\n%s", want, found, err, by, b.String())
			}
		}
		if err := f.file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzBreached(f *testing.F) {
	two := sha1Hex("b") + "\n" + sha1Hex("a")
	for _, text := range []string{"", "\n", two, two + ":3\r\n", "\ufeff" + two, sha1Hex("a") + "\n" + sha1Hex("b"), strings.Repeat("0", 300), ":"} {
		f.Add([]byte(text), uint8(0), []byte("a"))
	}
	path := filepath.Join(f.TempDir(), "breached.txt")
	f.Fuzz(func(t *testing.T, text []byte, at uint8, plain []byte) {
		if lines := bytes.Split(text, []byte("\n")); int(at)%8 > 0 && len(lines[int(at)%len(lines)]) >= 40 {
			plain = lines[int(at)%len(lines)][:40]
		}
		put(t, path, string(text))
		sum := sha1.Sum(plain)
		_, _ = hex.Decode(sum[:], plain[:min(len(plain), 40)])
		by, sound := naive(text, sum)
		if err := CheckBreached(path); (err == nil) != sound {
			t.Fatalf("CheckBreached: %v, want sound %v: %q", err, sound, text)
		}
		h, err := openHashes(path)
		if err != nil {
			return
		}
		defer h.file.Close()
		if found, err := h.contains(sum); sound && (found != by || err != nil) {
			t.Fatalf("%x: %v, %v; want %v in %q", sum, found, err, by, text)
		}
	})
}
