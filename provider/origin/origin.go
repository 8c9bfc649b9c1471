// Package origin compares web origins (RFC 6454). The same origin has many spellings in
// settings and URIs, and one in what browsers send.
package origin

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"sallyport/input"
)

// longest bounds the work for a host, in bytes: converting an international name takes time
// that grows with the square of its length, and any caller can send one. No domain is longer.
const longest = 300

// Of returns the origin of an http or https URL as a browser serializes it: in lower case, an
// international name in its ASCII form, without the default port. "" for every other text, such
// as a URI with a private-use scheme.
func Of(text string) string {
	if o := usual(text); o != "" || text == "" {
		return o
	}
	return parsed(text)
}

func parsed(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return ""
	}
	standard := 80
	switch u.Scheme { // url.Parse returns it in lower case
	case "http":
	case "https":
		standard = 443
	default:
		return ""
	}
	name := ""
	if len(u.Host) <= longest {
		name = host(u.Hostname())
	}
	if name == "" {
		return ""
	}
	if u.Port() == "" {
		return u.Scheme + "://" + name
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err != nil:
		return ""
	case int(port) == standard:
		return u.Scheme + "://" + name
	}
	return fmt.Sprintf("%s://%s:%d", u.Scheme, name, port)
}

// usual returns the origin of a URL without anything that would have to be converted or could be
// malformed, as most are; "": perhaps it has one.
func usual(text string) string {
	rest, scheme := "", 0
	for _, s := range []string{"https://", "http://"} {
		if strings.HasPrefix(text, s) {
			rest, scheme = text[len(s):], len(s)
		}
	}
	place, path, _ := strings.Cut(rest, "/")
	name, port, ported := strings.Cut(place, ":")
	if len(place) > longest || !isPlain(name) || ported && !isUsual(port) || strings.ContainsFunc(path, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/-._~", r)
	}) {
		return ""
	}
	return text[:scheme+len(place)]
}

// isUsual reports whether a port is the default of no scheme, and written as browsers write it.
func isUsual(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n >= 1000 && port[0] != '0'
}

// Secure reports whether a URL is https, or http on a loopback host, which no network is on the way to.
func Secure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && input.Loopback(u.Hostname())
}

// OfHeader returns the value of an Origin header in the spelling of Of. What is no http or https
// origin stays as it is, "null" for example: a caller that sends an origin must never look like
// a program, which sends none.
func OfHeader(value string) string {
	if o := Of(value); o != "" {
		return o
	}
	return value
}

// Same reports whether two URLs have the same origin. A text without an origin has it in common
// with none.
func Same(a, b string) bool {
	o := Of(a)
	return o != "" && o == Of(b)
}

// host returns a host as browsers write it (WHATWG URL, sections 3.3 and 3.5); "" for one that
// they refuse.
func host(name string) string {
	if strings.Contains(name, ":") {
		a, err := netip.ParseAddr(name)
		switch {
		case err != nil || a.Zone() != "":
			return ""
		case a.Is4In6():
			b := a.As16()
			return fmt.Sprintf("[::ffff:%x:%x]", uint16(b[12])<<8|uint16(b[13]), uint16(b[14])<<8|uint16(b[15]))
		}
		return "[" + a.String() + "]"
	}
	if isPlain(name) {
		return name
	}
	ascii, err := mapped(name)
	if err != nil || strings.ContainsFunc(ascii, forbidden) {
		return ""
	}
	return ascii
}

// mapped returns the ASCII form of a host (UTS 46).
func mapped(name string) (string, error) {
	return idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckJoiners(true),
		idna.CheckHyphens(false), idna.StrictDomainName(false), idna.VerifyDNSLength(false)).ToASCII(name)
}

// Host returns a host in its ASCII form, and as its owner writes it. Both are the same for a host that
// is no valid name.
func Host(name string) (ascii, unicode string) {
	ascii = strings.ToLower(name)
	if h := host(name); h != "" {
		ascii = h
	}
	unicode, err := idna.Lookup.ToUnicode(ascii)
	if err != nil {
		return ascii, ascii
	}
	return ascii, unicode
}

// isPlain reports whether a host is in its ASCII form already: labels of letters in lower case,
// digits and hyphens. Punycode has to be checked. Most hosts are plain, and conversion is slow.
func isPlain(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.HasPrefix(label, "xn--") || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// forbidden reports whether a character may not be in a domain (WHATWG URL, section 3.2).
func forbidden(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"#%/:<>?@[\]^|`+"`{}", r)
}
