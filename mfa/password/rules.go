package password

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"sallyport/mfa"
	"sallyport/storage"
)

// MinLength is the lowest minimum length of new passwords, in characters.
const MinLength = 8

// NIST SP 800-63B-4 section 3.1.1.2: no composition rules, no truncation, no trimming.
const (
	// maxBytes is the maximum length of a password in bytes, as typed and after NFKC.
	maxBytes = 1024
	// minWord is the minimum length of a word that passwords must not consist of, maxExtra
	// how many digits and marks may surround it.
	minWord, maxExtra = 4, 8
	// minName and minNumber are the minimum lengths of parts of names and of numbers.
	minName, minNumber = 2, 6
)

//go:embed common_passwords.txt
var commonPasswords string

// commonList returns the list that deploy/passwords writes after a header: case-folded, sorted.
func commonList() []string {
	_, list, _ := strings.Cut(commonPasswords, "\n\n")
	return strings.Split(strings.TrimSuffix(list, "\n"), "\n")
}

// normalize returns the NFKC form of a password, which is counted, compared and hashed, so
// that it does not depend on the keyboard.
func normalize(plain string) string { return norm.NFKC.String(plain) }

// foldCase returns the normalized text without differences of case.
func foldCase(text string) string { return normalize(cases.Fold().String(normalize(text))) }

// MinLength returns the minimum length of new passwords, in characters.
func (p *Method) MinLength() int { return p.o.MinLength }

// Check applies the rules for new passwords. names are the user's names and other words that
// an attacker would try (see Words). It returns InvalidRequest, PasswordTooShort,
// PasswordTooLong, PasswordTooCommon, PasswordBreached or PasswordUnchecked.
func (p *Method) Check(plain string, names ...string) error {
	text := normalize(plain)
	switch {
	case !utf8.ValidString(plain) || strings.ContainsRune(plain, 0):
		return &mfa.Error{Code: mfa.InvalidRequest}
	case utf8.RuneCountInString(text) < p.o.MinLength:
		return &mfa.Error{Code: mfa.PasswordTooShort, Params: map[string]string{"Least": strconv.Itoa(p.o.MinLength)}}
	case len(plain) > maxBytes || len(text) > maxBytes:
		return &mfa.Error{Code: mfa.PasswordTooLong}
	case p.isGuessable(text, slices.Concat(p.o.Context, names)):
		return &mfa.Error{Code: mfa.PasswordTooCommon}
	case p.o.Breached == "":
		return nil
	}
	// Such files have passwords as typed.
	found, err := breached(p.o.Breached, slices.Compact([]string{plain, text})...)
	if err != nil {
		return &mfa.Error{Code: mfa.PasswordUnchecked, RetryAfter: retryAfter, Err: fmt.Errorf("search breached passwords: %w", err)}
	}
	if found {
		return &mfa.Error{Code: mfa.PasswordBreached}
	}
	return nil
}

// isGuessable reports whether a password is common or one of the words, alone or surrounded by
// a few digits and marks.
func (p *Method) isGuessable(text string, words []string) bool {
	whole := foldCase(text)
	core := strings.TrimFunc(whole, func(r rune) bool { return !unicode.IsLetter(r) })
	if utf8.RuneCountInString(core) < minWord || utf8.RuneCountInString(whole)-utf8.RuneCountInString(core) > maxExtra {
		core = whole
	}
	for _, candidate := range []string{whole, core} {
		if _, found := slices.BinarySearch(p.common, candidate); found {
			return true
		}
	}
	for _, word := range words {
		if word = foldCase(word); utf8.RuneCountInString(word) >= minWord && (word == whole || word == core) {
			return true
		}
	}
	return consistsOfNames(whole, words)
}

// consistsOfNames reports whether a folded password consists of names and parts of them, in
// any order and spelling, with any spaces and marks and up to maxExtra digits, or is a number
// of the user, such as the phone number without country code.
func consistsOfNames(text string, names []string) bool {
	letters, digits := filter(text, isLetter), filter(text, unicode.IsDigit)
	if letters == "" {
		return isUserNumber(digits, names)
	}
	if utf8.RuneCountInString(digits) > maxExtra {
		return false
	}
	var words []string
	for _, name := range names {
		name = foldCase(name)
		for _, word := range append(strings.FieldsFunc(name, func(r rune) bool { return !isLetter(r) }), filter(name, isLetter)) {
			if utf8.RuneCountInString(word) >= minName {
				words = append(words, spellings(word)...)
			}
		}
	}
	return slices.ContainsFunc(spellings(letters), func(spelling string) bool { return consistsOf(spelling, words) })
}

func isUserNumber(digits string, names []string) bool {
	digits = strings.TrimLeft(digits, "0")
	return len(digits) >= minNumber && slices.ContainsFunc(names, func(name string) bool {
		return strings.HasSuffix(filter(normalize(name), unicode.IsDigit), digits)
	})
}

// consistsOf reports whether a text can be cut into words.
func consistsOf(text string, words []string) bool {
	reached := make([]bool, len(text)+1)
	reached[0] = true
	for at := range text {
		for _, word := range words {
			if reached[at] && strings.HasPrefix(text[at:], word) {
				reached[at+len(word)] = true
			}
		}
	}
	return reached[len(text)]
}

// spellings returns a folded word as it is, with German umlauts transcribed, and without
// diacritics.
func spellings(word string) []string {
	german := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue").Replace(word)
	bare := filter(norm.NFD.String(word), unicode.IsLetter)
	return slices.Compact([]string{word, german, bare})
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }

// filter returns the characters of a kind.
func filter(text string, kind func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if kind(r) {
			return r
		}
		return -1
	}, text)
}

// Words returns the words that an attacker would try for a user: identifiers, the parts of
// e-mail addresses, and the names in the profile, whole and in parts.
func Words(identifiers []string, profile map[string]any) []string {
	var out []string
	for _, i := range identifiers {
		local, host, _ := strings.Cut(i, "@")
		name, _, _ := strings.Cut(host, ".")
		out = append(out, i, local, host, name)
	}
	for _, claim := range []string{"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"} {
		if text, ok := profile[claim].(string); ok {
			out = append(append(out, text, strings.ReplaceAll(text, " ", "")), strings.Fields(text)...)
		}
	}
	return out
}

// WordsOf returns the Words of an account.
func WordsOf(a storage.Account) []string {
	var names []string
	for _, i := range a.Identifiers {
		names = append(names, i.Text())
	}
	return Words(names, a.User.Profile)
}
