package mfa

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"sallyport/storage"
)

// Bounds of a password: characters at least, bytes at most. NIST SP 800-63B-4 section
// 3.1.1.2: no composition rules, no truncation, no trimming.
const (
	passwordMin = 8
	passwordMax = 1024
	// wordMin is the length from which a word counts as one, aroundMax how many characters
	// around it make no better password of it.
	wordMin, aroundMax = 4, 8
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
func folded(text string) string { return cases.Fold().String(normal(text)) }

// Check applies the rules for a new password of somebody with these names, the words of
// their own that others would try first.
func (p *Password) Check(plain string, names ...string) error {
	text := normal(plain)
	switch {
	case !utf8.ValidString(plain) || strings.ContainsRune(plain, 0):
		return &Error{Code: InvalidRequest}
	case utf8.RuneCountInString(text) < passwordMin:
		return &Error{Code: PasswordTooShort}
	case len(plain) > passwordMax || len(text) > passwordMax:
		return &Error{Code: PasswordTooLong}
	case p.guessable(text, slices.Concat(p.o.Context, names)):
		return &Error{Code: PasswordTooCommon}
	}
	return nil
}

// guessable reports whether a password is a common one or a word that others would try,
// as it is or with a few digits and punctuation marks around it.
func (p *Password) guessable(text string, words []string) bool {
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
	return false
}

// ownWords are the words of a person: their names, the parts of an address before and
// after the @, and the parts of what they are called.
func ownWords(identifiers []string, profile map[string]any) []string {
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

func wordsOf(a storage.Account) []string {
	var names []string
	for _, i := range a.Identifiers {
		names = append(names, i.Value)
	}
	return ownWords(names, a.User.Profile)
}

func (d Draft) words() []string { return ownWords([]string{d.Username, d.Email, d.Phone}, d.Profile) }
