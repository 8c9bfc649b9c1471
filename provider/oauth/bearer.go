package oauth

import (
	"mime"
	"net/http"
	"strings"
)

// Bearer returns the access token of a request (RFC 6750 section 2): from the header or
// from the form of a POST, but not from the query, which servers log. It returns "" if the
// request has none.
func Bearer(r *http.Request) (string, *Error) {
	token := ""
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", NewError("invalid_request", "there is more than one Authorization header")
	}
	if len(headers) == 1 {
		scheme, rest, _ := strings.Cut(headers[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			if token = strings.TrimSpace(rest); token == "" || strings.ContainsAny(token, " \t,") {
				return "", NewError("invalid_request", "the Authorization header is malformed")
			}
		}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || err != nil || kind != "application/x-www-form-urlencoded" {
		return token, nil
	}
	if err := r.ParseForm(); err != nil {
		return "", NewError("invalid_request", "the body is not a valid form")
	}
	values := r.PostForm["access_token"]
	switch {
	case len(values) == 0:
		return token, nil
	case len(values) > 1 || token != "":
		return "", NewError("invalid_request", "the access token is sent more than once")
	case values[0] == "":
		return "", NewError("invalid_request", "the access token is empty")
	}
	return values[0], nil
}
