package provider

import (
	"mime"
	"net/http"
	"strings"
)

// bearer finds the access token of a call (RFC 6750 section 2): in the header or in the
// form of a POST, in one place only, and never in the address, where logs would keep
// it. "" without an error says that none was sent.
func bearer(r *http.Request) (string, *oauthError) {
	token := ""
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", refusal("invalid_request", "there is more than one Authorization header")
	}
	if len(headers) == 1 {
		scheme, rest, _ := strings.Cut(headers[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			if token = strings.TrimSpace(rest); token == "" || strings.ContainsAny(token, " \t,") {
				return "", refusal("invalid_request", "the Authorization header is malformed")
			}
		}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || err != nil || kind != "application/x-www-form-urlencoded" {
		return token, nil
	}
	if err := r.ParseForm(); err != nil {
		return "", refusal("invalid_request", "the body is no form")
	}
	values := r.PostForm["access_token"]
	switch {
	case len(values) == 0:
		return token, nil
	case len(values) > 1 || token != "":
		return "", refusal("invalid_request", "the access token stands more than once")
	case values[0] == "":
		return "", refusal("invalid_request", "the access token is empty")
	}
	return values[0], nil
}
