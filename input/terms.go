package input

import (
	"net/url"
	"strings"
)

// What is wrong with terms of use.
const (
	TermsURLFault     = "must begin with https://"
	TermsVersionFault = "must be 1 to 64 printable characters without spaces around them"
)

// TermsURL reports whether a text is an address that terms of use can be read at.
func TermsURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && Shown(text)
}

// TermsVersion reports whether a text can name a version of terms of use.
func TermsVersion(text string) bool {
	return text != "" && len(text) <= 64 && Shown(text) && text == strings.TrimSpace(text)
}
