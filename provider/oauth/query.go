package oauth

import (
	"net/url"
	"strings"
)

// Encode encodes parameters in their order as application/x-www-form-urlencoded.
func Encode(fields [][2]string) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(f[0]))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(f[1]))
	}
	return b.String()
}

// AppendQuery adds parameters to an address, which may have a query already (RFC 6749 section 3.1.2).
func AppendQuery(uri, query string) string {
	if query == "" {
		return uri
	}
	switch at := strings.IndexByte(uri, '?'); {
	case at < 0:
		return uri + "?" + query
	case at == len(uri)-1 || strings.HasSuffix(uri, "&"):
		return uri + query
	}
	return uri + "&" + query
}
