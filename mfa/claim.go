package mfa

import (
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"sallyport/input"
)

// Claims of a profile with rules of their own (OpenID Connect Core section 5.1).
const (
	Locale    = "locale"
	ZoneInfo  = "zoneinfo"
	Birthdate = "birthdate"
)

// maxClaim is the most characters a claim may have.
const maxClaim = 100

// ClaimError is an InvalidRequest about a claim that a user typed.
type ClaimError struct{ Claim string }

// Error implements error.
func (e *ClaimError) Error() string { return "claim " + e.Claim + " is not valid" }

// Unwrap returns the refusal.
func (e *ClaimError) Unwrap() error { return &Error{Code: InvalidRequest} }

// ValidClaim reports whether what a user typed may be the value of a claim; "": none.
func ValidClaim(name, value string, now time.Time) bool {
	if value == "" {
		return true
	}
	if utf8.RuneCountInString(value) > maxClaim || !input.Shown(value) {
		return false
	}
	switch name {
	case Locale:
		_, err := language.Parse(value)
		return err == nil
	case ZoneInfo:
		// The names of the zone of this machine are no zones.
		_, err := time.LoadLocation(value)
		return err == nil && value != "Local"
	case Birthdate:
		// Whoever does not want to tell the year writes 0000.
		day, err := time.Parse(time.DateOnly, strings.Replace(value, "0000-", "0004-", 1))
		return err == nil && !day.After(now)
	}
	return true
}
