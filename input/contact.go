package input

import (
	"net/url"
	"strings"
)

// ContactFault says what is wrong where Contact reports false.
const ContactFault = "must begin with https:// or be mailto: and an address"

// Contact reports whether a text is an address where people get help, which pages link: https:, or
// mailto: with an address alone.
func Contact(text string) bool {
	u, err := url.Parse(text)
	web := err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
	mail := err == nil && u.Scheme == "mailto" && strings.Contains(u.Opaque, "@") && u.RawQuery == ""
	return (web || mail) && Shown(text)
}
