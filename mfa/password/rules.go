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

// PasswordMin is how many characters a password has at least, where nobody asks for more.
const MinLength = 8

// NIST SP 800-63B-4 section 3.1.1.2: no composition rules, no truncation, no trimming.
const (
	// passwordMax is how many bytes a password has at most, as typed and after NFKC.
	passwordMax = 1024
	// wordMin is the length from which a word counts as one, aroundMax how many characters
	// around it make no better password of it.
	wordMin, aroundMax = 4, 8
	// A part of a name counts from nameMin letters on, a number of the user's from
	// numberMin digits on.
	nameMin, numberMin = 2, 6
)

//go:embed common_passwords.txt
var commonPasswords string

// commonList is the list as deploy/passwords writes it: folded and sorted, after a head.
func commonList() []string {
	_, list, _ := strings.Cut(commonPasswords, "\n\n")
	return strings.Split(strings.TrimSuffix(list, "\n"), "\n")
}

// normal writes a password as it is counted, compared and hashed: whatever keyboard it is
// typed on, the same characters are the same password (NFKC).
func normal(plain string) string { return norm.NFKC.String(plain) }

// folded is a password or a word as it is looked up: without the difference of case.
func folded(text string) string { return normal(cases.Fold().String(normal(text))) }

// MinLength is how many characters a new password has at least.
func (p *Method) MinLength() int { return p.o.MinLength }

// Check applies the rules for a new password of somebody with these names, the words of
// their own that others would try first.
func (p *Method) Check(plain string, names ...string) error {
	text := normal(plain)
	switch {
	case !utf8.ValidString(plain) || strings.ContainsRune(plain, 0):
		return &mfa.Error{Code: mfa.InvalidRequest}
	case utf8.RuneCountInString(text) < p.o.MinLength:
		return &mfa.Error{Code: mfa.PasswordTooShort, Params: map[string]string{"Least": strconv.Itoa(p.o.MinLength)}}
	case len(plain) > passwordMax || len(text) > passwordMax:
		return &mfa.Error{Code: mfa.PasswordTooLong}
	case p.guessable(text, slices.Concat(p.o.Context, names)):
		return &mfa.Error{Code: mfa.PasswordTooCommon}
	case p.o.Breached == "":
		return nil
	}
	// Collections have passwords as people typed them.
	found, err := breached(p.o.Breached, slices.Compact([]string{plain, text})...)
	if err != nil {
		return &mfa.Error{Code: mfa.PasswordUnchecked, RetryAfter: uncheckedWait, Err: fmt.Errorf("search breached passwords: %w", err)}
	}
	if found {
		return &mfa.Error{Code: mfa.PasswordBreached}
	}
	return nil
}

// guessable reports whether a password is a common one or a word that others would try,
// as it is or with a few digits and punctuation marks around it.
func (p *Method) guessable(text string, words []string) bool {
	whole := folded(text)
	core := strings.TrimFunc(whole, func(r rune) bool { return !unicode.IsLetter(r) })
	if utf8.RuneCountInString(core) < wordMin || utf8.RuneCountInString(whole)-utf8.RuneCountInString(core) > aroundMax {
		core = whole
	}
	for _, candidate := range []string{whole, core} {
		if _, found := slices.BinarySearch(p.common, candidate); found {
			return true
		}
	}
	for _, word := range words {
		if word = folded(word); utf8.RuneCountInString(word) >= wordMin && (word == whole || word == core) {
			return true
		}
	}
	return isNamed(whole, words)
}

// isNamed reports whether a folded password consists of nothing but names and parts of
// them, in any order and spelling, with whatever spaces and marks and up to aroundMax digits
// between and around; or whether it is a number of the user's, such as that of a telephone
// without its country.
func isNamed(text string, names []string) bool {
	letters, digits := keep(text, isLetter), keep(text, unicode.IsDigit)
	if letters == "" {
		return isNumbered(digits, names)
	}
	if utf8.RuneCountInString(digits) > aroundMax {
		return false
	}
	var words []string
	for _, name := range names {
		name = folded(name)
		for _, word := range append(strings.FieldsFunc(name, func(r rune) bool { return !isLetter(r) }), keep(name, isLetter)) {
			if utf8.RuneCountInString(word) >= nameMin {
				words = append(words, variants(word)...)
			}
		}
	}
	return slices.ContainsFunc(variants(letters), func(spelling string) bool { return consistsOf(spelling, words) })
}

func isNumbered(digits string, names []string) bool {
	digits = strings.TrimLeft(digits, "0")
	return len(digits) >= numberMin && slices.ContainsFunc(names, func(name string) bool {
		return strings.HasSuffix(keep(normal(name), unicode.IsDigit), digits)
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

// variants are the ways to write a folded word without a key for each of its letters:
// as it is, as German writes it without umlauts, and without any mark.
func variants(word string) []string {
	german := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue").Replace(word)
	bare := keep(norm.NFD.String(word), unicode.IsLetter)
	return slices.Compact([]string{word, german, bare})
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }

// keep leaves the characters of a kind.
func keep(text string, kind func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if kind(r) {
			return r
		}
		return -1
	}, text)
}

// ownWords are the words of a person: their names, the parts of an address before and
// after the @, and the parts of what they are called.
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

func WordsOf(a storage.Account) []string {
	var names []string
	for _, i := range a.Identifiers {
		names = append(names, i.Value)
	}
	return Words(names, a.User.Profile)
}
