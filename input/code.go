package input

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxCode bounds the work for a code, in bytes.
const maxCode = 1024

// Code returns a code as it was issued from one that was typed or pasted: with ASCII for
// full-width letters and the digits of every script, and without the spaces, dashes and
// invisible characters that apps, mail programs and keyboards put between groups.
//
// What is too long or not UTF-8 is returned unchanged, which no method accepts.
func Code(typed string) string {
	if len(typed) > maxCode || !utf8.ValidString(typed) {
		return typed
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cf, r), isDash(r):
			return -1
		case r > unicode.MaxASCII && unicode.IsDigit(r):
			return asciiDigit(r)
		}
		return r
	}, norm.NFKC.String(typed))
}

// isDash reports whether a character is what keyboards have for a dash: dashes, the minus
// sign, the hyphen bullet and the long vowel mark of Japanese keyboards.
func isDash(r rune) bool {
	return unicode.Is(unicode.Pd, r) || r == '\u2212' || r == '\u2043' || r == '\u30fc'
}

// asciiDigit returns the ASCII digit of a decimal digit of any script. Unicode keeps the
// digits of a script in order, from zero (The Unicode Standard section 4.6).
func asciiDigit(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if uint32(t.Lo) <= uint32(r) && uint32(r) <= uint32(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if t.Lo <= uint32(r) && uint32(r) <= t.Hi {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	return r
}
