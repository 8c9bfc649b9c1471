// Package phone reads telephone numbers.
package phone

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Canonical returns a number in international form as E.164 (ITU-T): '+', then 7 to 15 digits,
// the first not 0. Spaces and the signs -./() between them are dropped.
func Canonical(text string) (e164 string, ok bool) {
	digits, ok := strings.CutPrefix(text, "+")
	if !ok {
		return "", false
	}
	digits = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -./()", r) {
			return -1
		}
		return r
	}, digits)
	if len(digits) < 7 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	return "+" + digits, true
}

// Possible reports whether a canonical number may exist, by its country's numbering plan, and
// has no other spelling: one with a trunk prefix, as in +49 (0)30, has.
func Possible(e164 string) bool {
	n, err := phonenumbers.Parse(e164, "")
	return err == nil && phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE &&
		phonenumbers.Format(n, phonenumbers.E164) == e164
}

// Country returns the country of a canonical number (ISO 3166-1 alpha-2); "": none, or
// unknown.
func Country(e164 string) string {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForNumber(n); len(region) == 2 && region != "ZZ" {
		return region
	}
	return ""
}
