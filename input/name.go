package input

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// NameFault is what is wrong with a name for which Shown is false.
const NameFault = "must not have control characters, line breaks or invisible characters that change the direction of text"

// Shown reports whether a name may be shown to others: on pages, in messages and on
// terminals. Control characters could repaint a terminal, and characters that override the
// direction of text make a name read as another one. The two joiners are part of words in
// Persian and Indic scripts and of emoji.
func Shown(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		const nonJoiner, joiner = '\u200c', '\u200d'
		switch {
		case r == nonJoiner, r == joiner:
			return false
		case r == utf8.RuneError:
			return true
		}
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
	})
}

// Unseen reports whether a text has letters or signs that look like nothing: the fillers of Hangul and
// the blank of Braille. With them a name is empty, or has spaces that are none.
func Unseen(text string) bool { return strings.ContainsAny(text, "\u115f\u1160\u3164\uffa0\u2800") }
