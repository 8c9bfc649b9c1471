package password

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the form in which such files are made; it protects nothing here
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// hashLineMax is more than any line has: 40 digits, a colon, a count, the line's end.
	hashLineMax = 128
	// A file of up to hashWholeMax bytes is checked line by line, of a longer one hashSamples
	// pairs of neighbours: 40 GB are common.
	hashWholeMax = 1 << 20
	hashSamples  = 256
	// uncheckedWait is when to try again where the file could not be searched.
	uncheckedWait = time.Minute
)

var errChanged = errors.New("it was written to while it was searched; a new one takes its place by being renamed")

// hashFile is a file of SHA-1 hashes of passwords, sorted, one a line, alone or with a colon
// and a count: the form in which collections of stolen passwords are handed on. It is
// searched where it lies, whatever its length. Positions are bytes from its beginning.
type hashFile struct {
	file     *os.File
	was      os.FileInfo
	from, to int64 // of the hashes: behind a byte order mark, before the end of the last line
}

// CheckBreached says what keeps a file from being searched for breached passwords. Of a
// long one it looks at samples. Nothing of what is in the file is in the error.
func CheckBreached(path string) error {
	f, err := openHashes(path)
	if err != nil {
		return err
	}
	return errors.Join(f.inOrder(), f.file.Close())
}

// breached reports whether a password is in a file, in one of its spellings. The file is
// opened anew each time, so that another one may take its place.
func breached(path string, spellings ...string) (bool, error) {
	f, err := openHashes(path)
	if err != nil {
		return false, err
	}
	found := false
	for _, spelling := range spellings {
		if err == nil && !found {
			found, err = f.holds(sha1.Sum([]byte(spelling))) //nolint:gosec // as above
		}
	}
	if err == nil {
		err = f.unchanged()
	}
	return found, errors.Join(err, f.file.Close())
}

func openHashes(path string) (*hashFile, error) {
	// Opening a pipe would wait for somebody to write into it.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &hashFile{file: file}
	if err := f.bounds(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

// bounds finds where the hashes begin and end.
func (f *hashFile) bounds() error {
	var err error
	if f.was, err = f.file.Stat(); err != nil {
		return err
	}
	size := f.was.Size()
	head, err := f.read(0, min(size, 3))
	if err != nil {
		return err
	}
	if bytes.Equal(head, []byte("\ufeff")) {
		f.from = 3
	}
	tail := max(f.from, size-hashLineMax)
	text, err := f.read(tail, size)
	if err != nil {
		return err
	}
	f.to = tail + int64(len(bytes.TrimRight(text, "\r\n")))
	if f.to == f.from {
		return errors.New("there is no hash in it")
	}
	return nil
}

func (f *hashFile) read(from, to int64) ([]byte, error) {
	text := make([]byte, to-from)
	_, err := f.file.ReadAt(text, from)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // it became shorter
	}
	return text, err
}

// line reads the line that a position is in, and where it begins and the next one. From low
// to high there are whole lines.
func (f *hashFile) line(low, at, high int64) (hash []byte, start, next int64, err error) {
	first, last := max(low, at-hashLineMax), min(high, at+hashLineMax)
	text, err := f.read(first, last)
	if err != nil {
		return nil, 0, 0, err
	}
	begin := bytes.LastIndexByte(text[:at-first], '\n') + 1
	length := bytes.IndexByte(text[begin:], '\n')
	if length < 0 {
		length = len(text) - begin
	}
	start = first + int64(begin)
	next = min(start+int64(length)+1, high)
	whole := (begin > 0 || first == low) && length < hashLineMax
	hash, ok := hashOf(text[begin : begin+length])
	if !whole || !ok {
		return nil, 0, 0, fmt.Errorf("the line at byte %d is no SHA-1 of 40 hexadecimal digits, alone or with a colon and a count behind it", at)
	}
	return hash, start, next, nil
}

// hashOf reads a line without its end.
func hashOf(line []byte) ([]byte, bool) {
	digits, count, counted := bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(":"))
	hash := make([]byte, sha1.Size)
	if len(digits) != 2*sha1.Size || counted && (len(count) == 0 || len(bytes.Trim(count, "0123456789")) > 0) {
		return nil, false
	}
	_, err := hex.Decode(hash, digits)
	return hash, err == nil
}

// holds looks for a hash, halving what is left.
func (f *hashFile) holds(want [sha1.Size]byte) (bool, error) {
	low, high := f.from, f.to
	var below, above []byte // the nearest hashes seen
	for low < high {
		hash, start, next, err := f.line(low, low+(high-low)/2, high)
		if err != nil {
			return false, err
		}
		if below != nil && bytes.Compare(hash, below) < 0 || above != nil && bytes.Compare(hash, above) > 0 {
			return false, unsorted(start)
		}
		switch bytes.Compare(hash, want[:]) {
		case 0:
			return true, nil
		case -1:
			low, below = next, hash
		default:
			high, above = start, hash
		}
	}
	return false, nil
}

func unsorted(at int64) error { return fmt.Errorf("it is not sorted by hash: see byte %d", at) }

// unchanged tells a file that was written to from the one that was opened.
func (f *hashFile) unchanged() error {
	is, err := f.file.Stat()
	if err == nil && (is.Size() != f.was.Size() || !is.ModTime().Equal(f.was.ModTime())) {
		err = errChanged
	}
	return err
}

// inOrder looks at every line, or at samples: the form of each, and that none is smaller
// than the one before.
func (f *hashFile) inOrder() error {
	var before []byte
	look := func(at int64) (int64, error) {
		hash, start, next, err := f.line(f.from, at, f.to)
		if err == nil && bytes.Compare(hash, before) < 0 {
			err = unsorted(start)
		}
		before = hash
		return next, err
	}
	step := int64(0)
	if f.to-f.from > hashWholeMax {
		step = (f.to - f.from) / hashSamples
	}
	for at := f.from; at < f.to; {
		next, err := look(at)
		if err == nil && step > 0 && next < f.to {
			_, err = look(next) // its neighbour
		}
		if err != nil {
			return err
		}
		at = max(next, at+step)
	}
	_, err := look(f.to - 1)
	return err
}
