package provider

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// readForm reads the body of a call to an endpoint for programs: a form, every
// parameter once, none in the address (RFC 6749 section 3.2: credentials must not be
// in the URI). It leaves the form where fosite looks for it.
func readForm(r *http.Request) (url.Values, *oauthError) {
	if r.Method != http.MethodPost {
		return nil, &oauthError{code: "invalid_request", description: "the method is not POST", status: http.StatusMethodNotAllowed}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refusal("invalid_request", "the body is not application/x-www-form-urlencoded")
	}
	if r.URL.RawQuery != "" {
		return nil, refusal("invalid_request", "parameters belong into the body")
	}
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, &oauthError{code: "invalid_request", description: "the body is too large", status: http.StatusRequestEntityTooLarge}
		}
		return nil, refusal("invalid_request", "the body is no form")
	}
	if e := checkForm(r.PostForm); e != nil {
		return nil, e
	}
	return r.PostForm, nil
}

// checkForm demands that a parameter stands once and is text; one without a value
// counts as left out (RFC 6749 section 3.2).
func checkForm(form url.Values) *oauthError {
	count := 0
	for name, values := range form {
		if count += len(values); count > maxParams {
			return refusal("invalid_request", "there are too many parameters")
		}
		if len(values) > 1 && name != "resource" {
			return refusal("invalid_request", "a parameter stands more than once")
		}
		for _, v := range append([]string{name}, values...) {
			if !utf8.ValidString(v) || containsNUL(v) {
				return refusal("invalid_request", "a parameter is not text")
			}
		}
		if len(values) == 1 && values[0] == "" {
			delete(form, name)
		}
	}
	return nil
}

func containsNUL(s string) bool {
	for i := range len(s) {
		if s[i] == 0 {
			return true
		}
	}
	return false
}
