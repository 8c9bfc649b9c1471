package mfa

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"sallyport/input"
	"sallyport/mfa/phone"
	"sallyport/storage"
)

// maxIdentifier is the longest e-mail address in bytes (RFC 5321 section 4.5.3.1).
const maxIdentifier = 320

// Canonical returns the canonical spelling of a typed identifier, for lookup and for
// counting failures. It returns InvalidIdentifier as Identify does.
func Canonical(typed string) (string, storage.IdentifierKind, error) {
	i, err := Identify(typed)
	return i.Value, i.Kind, err
}

// Identify returns a typed identifier with its kind and its spellings. A value with '@' is an
// e-mail address, one that begins with '+' a phone number, any other a user name. It returns
// InvalidIdentifier for anything else.
func Identify(typed string) (storage.Identifier, error) {
	invalid := &Error{Code: InvalidIdentifier}
	if len(typed) > 4*maxIdentifier || !utf8.ValidString(typed) {
		return storage.Identifier{}, invalid
	}
	s := Fold(typed)
	// A few characters change again when folded twice. Names do not need them.
	if s == "" || len(s) > maxIdentifier || s != norm.NFKC.String(strings.ToLower(s)) {
		return storage.Identifier{}, invalid
	}
	i, ok := storage.Identifier{Kind: storage.Username, Value: input.SameName(s)}, false
	switch {
	case strings.Contains(s, "@"):
		i.Kind, ok = storage.Email, isEmail(s)
	case s[0] == '+':
		i.Kind = storage.Phone
		s, ok = phone.Canonical(s)
		i.Value = s
	default:
		ok = isName(s)
	}
	if !ok || input.SameName(i.Value) != i.Value {
		return storage.Identifier{}, invalid
	}
	if s != i.Value {
		i.Shown = s
	}
	return i, nil
}

// Fold returns the spelling in which identifiers, and parts of them, are compared.
func Fold(typed string) string {
	return strings.TrimSpace(norm.NFKC.String(cases.Lower(language.Und).String(norm.NFKC.String(typed))))
}

// CheckNew returns InvalidIdentifier for a canonical identifier that users cannot get: a phone
// number that cannot exist. Users who have it keep it, and are found by it.
func CheckNew(kind storage.IdentifierKind, value string) error {
	if kind == storage.Phone && !phone.Possible(value) {
		return &Error{Code: InvalidIdentifier}
	}
	return nil
}

// Bounds of a user name that a user chooses. An ID of a user is longer.
const (
	MinUsername = 3
	MaxUsername = 30
)

// chosen are letters and digits of ASCII, with single separators between them.
var chosen = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)

// ChooseUsername returns the user name that a user typed to have it. It is stricter than Identify:
// no name looks like that of another user in letters of another script (Unicode Technical Standard
// 39), or like a phone number, and every name is shown as it is compared. InvalidIdentifier: the name is not one.
func ChooseUsername(typed string) (storage.Identifier, error) {
	i, err := Identify(typed)
	if err != nil {
		return i, err
	}
	n := len(i.Value)
	if i.Kind != storage.Username || i.Shown != "" || n < MinUsername || n > MaxUsername || !chosen.MatchString(i.Value) || !strings.ContainsAny(i.Value, "abcdefghijklmnopqrstuvwxyz") {
		return storage.Identifier{}, &Error{Code: InvalidIdentifier}
	}
	return i, nil
}

// isEmail accepts addresses that mail systems deliver to, except quoted local parts.
func isEmail(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	if local == "" || len(local) > 64 || domain == "" || len(domain) > 255 || strings.Contains(domain, "@") {
		return false
	}
	if strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return false
	}
	for _, r := range domain {
		if r != '.' && r != '-' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return isName(local)
}

// isName refuses invisible characters and separators.
func isName(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`@"<>(),:;\`, r) {
			return false
		}
	}
	return true
}
