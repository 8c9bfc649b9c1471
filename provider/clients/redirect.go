package clients

import (
	"strings"
)

// maxRedirect bounds a redirect URI (O-3).
const maxRedirect = 2048

// CheckRedirect returns why the client may not use a redirect URI, or "". It checks the raw
// text, because parsers tolerate user information, escapes and upper-case schemes, which has
// caused open redirects elsewhere (RFC 9700 section 4.1.3).
func (c *Client) CheckRedirect(uri string) string {
	if uri == "" {
		return "the parameter is missing"
	}
	if len(uri) > maxRedirect {
		return "the address is too long"
	}
	for i := range len(uri) {
		if uri[i] <= 0x20 || uri[i] >= 0x7f {
			return "the address holds an illegal character"
		}
	}
	if strings.ContainsAny(uri, `#\`) {
		return "the address holds a fragment"
	}
	if authority(uri, "@") {
		return "the address holds user information"
	}
	if c.RegisteredRedirect(uri) != "" {
		return ""
	}
	return "the address is not registered for this application"
}

// RegisteredRedirect returns the registered URI that a redirect URI is, but for its port; "": none.
func (c *Client) RegisteredRedirect(uri string) string {
	for _, registered := range c.RedirectURIs {
		if uri == registered || c.Native && sameLoopback(uri, registered, loopbackHosts[:2]) || c.Document && sameLoopback(uri, registered, loopbackHosts) {
			return registered
		}
	}
	return ""
}

// authority reports whether the authority of a URI contains any of the characters.
func authority(uri, any string) bool {
	at := strings.Index(uri, "://")
	if at < 0 {
		return false
	}
	rest := uri[at+3:]
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return strings.ContainsAny(rest, any)
}

// loopbackHosts are those whose port is free. RFC 8252 section 7.3 allows native applications any port
// on the loopback interface, for http with an IP literal only: "localhost" may resolve to another
// host. Clients with a document may use it too, as most of them do (decision 0160).
var loopbackHosts = []string{"http://127.0.0.1", "http://[::1]", "http://localhost"}

// sameLoopback compares two URIs on the same one of the hosts, without their ports.
func sameLoopback(uri, registered string, hosts []string) bool {
	for _, host := range hosts {
		tail, ok := strings.CutPrefix(registered, host)
		if !ok {
			continue
		}
		have, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		tail, ok = cutPort(tail)
		if !ok {
			continue
		}
		if have, ok = cutPort(have); ok && have == tail {
			return true
		}
	}
	return false
}

// cutPort removes ":port" from the beginning of what follows a host.
func cutPort(rest string) (string, bool) {
	if !strings.HasPrefix(rest, ":") {
		return rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	end := 1
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	if digits := end - 1; digits < 1 || digits > 5 || port(rest[1:end]) > 65535 {
		return "", false
	}
	rest = rest[end:]
	return rest, rest == "" || rest[0] == '/' || rest[0] == '?'
}

func port(digits string) int {
	n := 0
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n
}
