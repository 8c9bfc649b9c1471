package dpop

import (
	"net/url"
	"strings"
)

// sameAddress reports whether a URL is that of a path below the issuer, without query and fragment,
// and whatever the case of scheme and host (RFC 9449 section 4.3, RFC 3986 section 6.2). The
// issuer is from the configuration: a Host header says what the caller wants.
func sameAddress(text, issuer, path string) bool {
	got, err := url.Parse(text)
	if err != nil || got.User != nil || got.Opaque != "" || strings.Contains(strings.ToLower(got.EscapedPath()), "%2f") {
		return false
	}
	want, err := url.Parse(issuer)
	return err == nil && authority(got) == authority(want) && got.Path == want.Path+path
}

// authority returns scheme, host and port in one form.
func authority(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// IsThumbprint reports whether a text can be the thumbprint of a key (RFC 7638 with SHA-256, in
// base64url).
func IsThumbprint(text string) bool {
	return len(text) == 43 && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_'
	})
}
