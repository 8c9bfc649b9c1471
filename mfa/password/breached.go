package password

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format of such files; not used for security
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// maxLine exceeds the length of any line: 40 digits, a colon, a count and the line end.
	maxLine = 128
	// Files of up to maxFullScan bytes are checked line by line, longer ones (40 GB are
	// common) at sampleCount pairs of lines.
	maxFullScan = 1 << 20
	sampleCount = 256
	// retryAfter is when to retry if the file could not be searched.
	retryAfter = time.Minute
)

var errChanged = errors.New("it was written to while it was searched; a new one takes its place by being renamed")

// hashFile is a sorted file of SHA-1 hashes of breached passwords, one a line, optionally with
// a colon and a count. It is searched on disk. Positions are byte offsets.
type hashFile struct {
	file     *os.File
	info     os.FileInfo
	from, to int64 // of the hashes, without byte order mark and last line end
}

// CheckBreached returns an error if a file is not a sorted list of SHA-1 hashes of breached
// passwords. It samples long files. The error has nothing of the content.
func CheckBreached(path string) error {
	f, err := openHashes(path)
	if err != nil {
		return err
	}
	return errors.Join(f.checkOrder(), f.file.Close())
}

// breached reports whether one of the spellings of a password is in a file. It opens the file
// each time, so that it can be replaced.
func breached(path string, spellings ...string) (bool, error) {
	f, err := openHashes(path)
	if err != nil {
		return false, err
	}
	found := false
	for _, spelling := range spellings {
		if err == nil && !found {
			found, err = f.contains(sha1.Sum([]byte(spelling))) //nolint:gosec // as above
		}
	}
	if err == nil {
		err = f.checkUnchanged()
	}
	return found, errors.Join(err, f.file.Close())
}

func openHashes(path string) (*hashFile, error) {
	// Opening a pipe would block until it has a writer.
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

// bounds sets where the hashes begin and end.
func (f *hashFile) bounds() error {
	var err error
	if f.info, err = f.file.Stat(); err != nil {
		return err
	}
	size := f.info.Size()
	head, err := f.read(0, min(size, 3))
	if err != nil {
		return err
	}
	if bytes.Equal(head, []byte("\ufeff")) {
		f.from = 3
	}
	tail := max(f.from, size-maxLine)
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

// line returns the hash of the line at a position, its start and the start of the next line.
// low and high are the bounds of whole lines.
func (f *hashFile) line(low, at, high int64) (hash []byte, start, next int64, err error) {
	first, last := max(low, at-maxLine), min(high, at+maxLine)
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
	whole := (begin > 0 || first == low) && length < maxLine
	hash, ok := hashOf(text[begin : begin+length])
	if !whole || !ok {
		return nil, 0, 0, fmt.Errorf("the line at byte %d is no SHA-1 of 40 hexadecimal digits, alone or with a colon and a count behind it", at)
	}
	return hash, start, next, nil
}

// hashOf parses a line without its line feed.
func hashOf(line []byte) ([]byte, bool) {
	digits, count, counted := bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(":"))
	hash := make([]byte, sha1.Size)
	if len(digits) != 2*sha1.Size || counted && (len(count) == 0 || len(bytes.Trim(count, "0123456789")) > 0) {
		return nil, false
	}
	_, err := hex.Decode(hash, digits)
	return hash, err == nil
}

// contains searches for a hash by bisection.
func (f *hashFile) contains(want [sha1.Size]byte) (bool, error) {
	low, high := f.from, f.to
	var below, above []byte // the nearest hashes seen
	for low < high {
		hash, start, next, err := f.line(low, low+(high-low)/2, high)
		if err != nil {
			return false, err
		}
		if below != nil && bytes.Compare(hash, below) < 0 || above != nil && bytes.Compare(hash, above) > 0 {
			return false, orderError(start)
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

func orderError(at int64) error { return fmt.Errorf("it is not sorted by hash: see byte %d", at) }

// checkUnchanged returns errChanged if the file was written to since it was opened.
func (f *hashFile) checkUnchanged() error {
	is, err := f.file.Stat()
	if err == nil && (is.Size() != f.info.Size() || !is.ModTime().Equal(f.info.ModTime())) {
		err = errChanged
	}
	return err
}

// checkOrder checks the format and the order of every line, or of samples.
func (f *hashFile) checkOrder() error {
	var before []byte
	look := func(at int64) (int64, error) {
		hash, start, next, err := f.line(f.from, at, f.to)
		if err == nil && bytes.Compare(hash, before) < 0 {
			err = orderError(start)
		}
		before = hash
		return next, err
	}
	step := int64(0)
	if f.to-f.from > maxFullScan {
		step = (f.to - f.from) / sampleCount
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
