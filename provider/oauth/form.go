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
		return nil, &Error{Code: "invalid_request", Description: "the method is not POST", Status: http.StatusMethodNotAllowed}
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
	if e := checkForm(r.PostForm); e != nil {
		return nil, e
	}
	return r.PostForm, nil
}

// checkForm checks that a parameter occurs once and is text. It deletes parameters without
// a value (RFC 6749 section 3.2).
func checkForm(form url.Values) *Error {
	count := 0
	for name, values := range form {
		if count += len(values); count > MaxParams {
			return NewError("invalid_request", "there are too many parameters")
		}
		if len(values) > 1 && name != "resource" {
			return NewError("invalid_request", "a parameter is sent more than once")
		}
		for _, v := range append([]string{name}, values...) {
			if !utf8.ValidString(v) || strings.Contains(v, "\x00") {
				return NewError("invalid_request", "a parameter is not text")
			}
		}
		if len(values) == 1 && values[0] == "" {
			delete(form, name)
		}
	}
	return nil
}

// Fields splits a space-separated list and drops duplicates. It stops after MaxScopes+1
// entries.
func Fields(text string) []string {
	var out []string
	for f := range strings.SplitSeq(text, " ") {
		if len(out) > MaxScopes {
			break
		}
		if f != "" && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// Covers reports whether a list includes all wanted entries.
func Covers(list, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(list, s) })
}
