package input_test

import (
	"errors"
	"testing"

	"sallyport/input"
)

func TestFilesAreReadAsEditorsWriteThem(t *testing.T) {
	for _, tc := range []struct{ name, file, text, line string }{
		{"as on Unix", "a: ü\nb\n", "a: ü\nb\n", ""},
		{"with a byte order mark", "\ufeffa\n", "a\n", "a"},
		{"as on Windows", "a\r\nb\r\n", "a\nb\n", ""},
		{"a mark and CRLF", "\ufeffa b \r\n", "a b \n", "a b "},
		{"no final line break", "a", "a", "a"},
		{"empty lines at the end", "a\r\n\r\n", "a\n\n", "a"},
		{"a mark within the text is kept", "a\ufeff", "a\ufeff", "a\ufeff"},
		{"a replacement character that the file has", "a\ufffd", "a\ufffd", "a\ufffd"},
		{"a carriage return alone", "a\rb", "a\rb", ""},
		{"only a mark", "\ufeff", "", ""},
		{"nothing", "", "", ""},
	} {
		text, err := input.Text([]byte(tc.file))
		if text != tc.text || err != nil {
			t.Errorf("%s: Text = %q, %v, want %q", tc.name, text, err, tc.text)
		}
		line, err := input.Line([]byte(tc.file))
		if line != tc.line || (err == nil) != (tc.line != "") {
			t.Errorf("%s: Line = %q, %v, want %q", tc.name, line, err, tc.line)
		}
	}
}

func TestOtherEncodingsAreRefusedByLine(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"Latin-1", "Herbstk\xfcche 44\n", "line 1 is not UTF-8; save the file as UTF-8"},
		{"Latin-1 further down", "\ufeffa\r\nb\r\n\xe4\r\n", "line 3 is not UTF-8; save the file as UTF-8"},
		{"a character cut off", "a\n\xc3", "line 2 is not UTF-8; save the file as UTF-8"},
		{"a surrogate", "\xed\xa0\x80", "line 1 is not UTF-8; save the file as UTF-8"},
		{"UTF-16 of Windows", "\xff\xfea\x00\n\x00", "is UTF-16; save it as UTF-8"},
		{"UTF-16 in network order", "\xfe\xff\x00a", "is UTF-16; save it as UTF-8"},
		{"UTF-16 without a mark", "a\x00b\x00", "line 1 has a NUL character; save the file as UTF-8 text"},
	} {
		text, err := input.Text([]byte(tc.file))
		var e *input.TextError
		if text != "" || !errors.As(err, &e) || err.Error() != tc.want {
			t.Errorf("%s: Text = %q, %v, want %q", tc.name, text, err, tc.want)
		}
		if line, err := input.Line([]byte(tc.file)); line != "" || !errors.As(err, &e) {
			t.Errorf("%s: Line = %q, %v", tc.name, line, err)
		}
	}
}
