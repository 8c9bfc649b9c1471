package oauth

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits on what a request may carry (H-9, O-3, O-9).
const (
	MaxParams = 100
	MaxValues = 20 // of acr_values, of resource
	MaxScopes = 100
	MaxScope  = 4096 // bytes of the scope parameter
)

// ReadForm reads the body of a request: a form with every parameter once, and none in the
// query (RFC 6749 section 3.2: credentials must not be in the URI). The form stays in r,
// where fosite reads it.
func ReadForm(r *http.Request) (url.Values, *Error) {
	if r.Method != http.MethodPost {
		return nil, &Error{Code: "invalid_request", Reason: "method_not_allowed", Description: "the method is not POST", Status: http.StatusMethodNotAllowed}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, NewError("invalid_request", "the body is not application/x-www-form-urlencoded")
	}
	if r.URL.RawQuery != "" {
		return nil, NewError("invalid_request", "parameters must be in the body")
	}
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, &Error{Code: "invalid_request", Description: "the body is too large", Status: http.StatusRequestEntityTooLarge}
		}
		return nil, NewError("invalid_request", "the body is not a valid form")
	}
	if _, fault := CheckParams(r.PostForm); fault != "" {
		return nil, NewError("invalid_request", fault)
	}
	return r.PostForm, nil
}

// CheckParams returns what is wrong with parameters, and with which one: each must occur once, and
// be text. Only resource (RFC 8707 section 2) and audience (RFC 8693 section 2.1) may repeat. It deletes parameters without a value
// (RFC 6749 sections 3.1 and 3.2).
func CheckParams(params url.Values) (name, fault string) {
	count := 0
	for name, values := range params {
		if count += len(values); count > MaxParams {
			return "", "there are too many parameters"
		}
		if noText(name) || slices.ContainsFunc(values, noText) {
			return name, "a parameter is not text"
		}
		if len(values) > 1 && name != "resource" && name != "audience" {
			return name, "a parameter is sent more than once"
		}
		if len(values) == 1 && values[0] == "" {
			delete(params, name)
		}
	}
	return "", ""
}

func noText(s string) bool { return !utf8.ValidString(s) || strings.Contains(s, "\x00") }

// Fields splits a space-separated list and drops duplicates. It stops after MaxScopes+1
// entries.
func Fields(text string) []string {
	if text == "" {
		return nil
	}
	out := make([]string, 0, min(strings.Count(text, " ")+1, MaxScopes+1))
	for f := range strings.SplitSeq(text, " ") {
		if len(out) > MaxScopes {
			break
		}
		if f != "" && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Covers reports whether a list includes all wanted entries.
func Covers(list, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(list, s) })
}

// Resources returns the registered resources that a parameter names (RFC 8707 section 2); false: one of
// them is none. They are compared as strings, but clients add the slash to a bare origin, or leave
// it out: it is the same resource (RFC 3986 section 6.2.3). What is registered becomes the audience.
func Resources(registered, named []string) ([]string, bool) {
	var out []string
	for _, n := range named {
		i := slices.Index(registered, n)
		if i < 0 {
			i = slices.IndexFunc(registered, func(r string) bool {
				return isBareOrigin(r) && isBareOrigin(n) && strings.TrimSuffix(r, "/") == strings.TrimSuffix(n, "/")
			})
		}
		if i < 0 {
			return nil, false
		}
		if !slices.Contains(out, registered[i]) {
			out = append(out, registered[i])
		}
	}
	return out, true
}

// isBareOrigin reports whether a URL has nothing after its host but perhaps a slash.
func isBareOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Path == "" || u.Path == "/") && !strings.ContainsAny(text, "?#")
}
