package oauth

import (
	"mime"
	"net/http"
	"strings"
)

// Presented is an access token as a request presents it.
type Presented struct {
	Token string // "": none
	DPoP  bool   // with the scheme DPoP, and so with a proof (RFC 9449 section 7.1)
}

// AccessToken returns the access token of a request (RFC 6750 section 2): from the header or
// from the form of a POST, but not from the query, which servers log.
func AccessToken(r *http.Request) (Presented, *Error) {
	var none, out Presented
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return none, NewError("invalid_request", "there is more than one Authorization header")
	}
	if len(headers) == 1 {
		scheme, rest, _ := strings.Cut(headers[0], " ")
		if out.DPoP = isDPoP(scheme); out.DPoP || strings.EqualFold(scheme, "Bearer") {
			if out.Token = strings.TrimSpace(rest); out.Token == "" || strings.ContainsAny(out.Token, " \t,") {
				return none, NewError("invalid_request", "the Authorization header is malformed")
			}
		}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || err != nil || kind != "application/x-www-form-urlencoded" {
		return out, nil
	}
	if err := r.ParseForm(); err != nil {
		return none, NewError("invalid_request", "the body is not a valid form")
	}
	values := r.PostForm["access_token"]
	switch {
	case len(values) == 0:
		return out, nil
	case len(values) > 1 || out.Token != "":
		return none, NewError("invalid_request", "the access token is sent more than once")
	case values[0] == "":
		return none, NewError("invalid_request", "the access token is empty")
	}
	return Presented{Token: values[0]}, nil
}

func isDPoP(scheme string) bool { return strings.EqualFold(scheme, "DPoP") }
