package password

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
