package input

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// mark is the byte order mark of UTF-8, which Windows editors write.
const mark = "\ufeff"

// TextError says why a file is not text. It quotes nothing of the file.
type TextError struct {
	Line   int // 0: the file as a whole
	Reason string
}

// Error implements error.
func (e *TextError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d %s", e.Line, e.Reason)
	}
	return e.Reason
}

// Text returns the content of a text file without byte order mark, with LF between lines. It
// refuses bytes that are not UTF-8: replaced ones would become another password.
func Text(content []byte) (string, error) {
	if bytes.HasPrefix(content, []byte{0xff, 0xfe}) || bytes.HasPrefix(content, []byte{0xfe, 0xff}) {
		return "", &TextError{Reason: "is UTF-16; save it as UTF-8"}
	}
	content = WithoutMark(content)
	for at := 0; at < len(content); {
		r, size := utf8.DecodeRune(content[at:])
		reason := ""
		switch {
		case r == utf8.RuneError && size == 1:
			reason = "is not UTF-8; save the file as UTF-8"
		case r == 0:
			reason = "has a NUL character; save the file as UTF-8 text"
		}
		if reason != "" {
			return "", &TextError{Line: 1 + bytes.Count(content[:at], []byte("\n")), Reason: reason}
		}
		at += size
	}
	return strings.ReplaceAll(string(content), "\r\n", "\n"), nil
}

// errLine is the fault of a file that should hold one value.
var errLine = errors.New("want exactly one line")

// Line returns the line of a text file that has one. Line breaks at the end may be there.
// Spaces are kept, because a password may begin or end with one.
func Line(content []byte) (string, error) {
	text, err := Text(content)
	if err != nil {
		return "", err
	}
	text = strings.TrimRight(text, "\n")
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return "", errLine
	}
	return text, nil
}

// WithoutMark returns the content of a file without byte order mark. It is for PEM, whose
// readers know every line ending and skip what is not PEM.
func WithoutMark(content []byte) []byte { return bytes.TrimPrefix(content, []byte(mark)) }
