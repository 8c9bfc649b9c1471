package provider

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/ory/fosite"

	"sallyport/storage"
)

// oauthError is a refusal in OAuth's own words. Its cause is for the log.
type oauthError struct {
	code        string
	description string
	status      int
	cause       error
	// basic: the client tried HTTP Basic, so a 401 names that scheme (RFC 6749 section 5.2).
	basic bool
	// retryAfter is how long the caller has to wait; 0: that is not told.
	retryAfter time.Duration
}

func (e *oauthError) Error() string {
	text := "provider: " + e.code
	if e.description != "" {
		text += ": " + e.description
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *oauthError) Unwrap() error { return e.cause }

// refusal makes a refusal with the status its code has at an endpoint for programs.
func refusal(code, description string) *oauthError {
	return &oauthError{code: code, description: description, status: statusOf(code)}
}

// unavailable says that storage did not answer: the caller may try again.
func unavailable(cause error) *oauthError {
	return &oauthError{code: "temporarily_unavailable", description: "try again later", status: http.StatusServiceUnavailable, cause: cause}
}

// registered lists the error codes a client may see, with their status where it is
// not 400 (RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1, RFC 8707 section 2,
// OpenID Connect Core section 3.1.2.6).
func registered(code string) bool {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
		"unsupported_response_type", "invalid_scope", "invalid_target", "access_denied", "server_error",
		"temporarily_unavailable", "login_required", "interaction_required", "consent_required",
		"account_selection_required", "unmet_authentication_requirements", "request_not_supported",
		"request_uri_not_supported", "registration_not_supported", "invalid_request_uri", "invalid_request_object",
		"unsupported_token_type", "invalid_token", "insufficient_scope":
		return true
	}
	return false
}

func statusOf(code string) int {
	switch code {
	case "invalid_client", "invalid_token":
		return http.StatusUnauthorized
	case "insufficient_scope":
		return http.StatusForbidden
	case "server_error":
		return http.StatusInternalServerError
	case "temporarily_unavailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

func isNotFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }

// storageFailure marks an error of the engine on its way through fosite, which turns
// every one into server_error.
type storageFailure struct{ err error }

func (e *storageFailure) Error() string { return "storage: " + e.err.Error() }
func (e *storageFailure) Unwrap() error { return e.err }

// errorOf turns whatever came back from fosite or from our own code into a refusal.
// fosite's unregistered codes become registered ones; its debug text goes nowhere.
func errorOf(err error) *oauthError {
	var own *oauthError
	if errors.As(err, &own) {
		return own
	}
	var broken *storageFailure
	if errors.As(err, &broken) {
		return unavailable(broken)
	}
	var theirs *fosite.RFC6749Error
	if !errors.As(err, &theirs) {
		return &oauthError{code: "server_error", status: http.StatusInternalServerError, cause: err}
	}
	code := theirs.ErrorField
	switch code {
	case "invalid_state", "insufficient_entropy", "unsupported_response_mode":
		code = "invalid_request"
	case "token_inactive", "not_found", "token_claim", "token_signature_mismatch", "scope_not_granted", "jti_known":
		code = "invalid_grant"
	}
	if !registered(code) {
		return &oauthError{code: "server_error", status: http.StatusInternalServerError, cause: err}
	}
	e := refusal(code, describeCode(code))
	if code == "server_error" {
		e.cause = err
	}
	return e
}

// describeCode is the text that goes with a refusal of fosite's. fosite's own texts
// echo what was sent and name its settings, so none of them is passed on.
func describeCode(code string) string {
	switch code {
	case "invalid_request":
		return "a parameter is missing, repeated or malformed"
	case "invalid_grant":
		return "the code or token is unknown, used, expired, revoked or was given to another client"
	case "invalid_scope":
		return "a scope is unknown or not allowed to this client"
	case "unauthorized_client":
		return "the client is not registered for this"
	case "unsupported_response_type":
		return "the response type is not supported for this client"
	case "invalid_client":
		return "client authentication did not succeed"
	case "unsupported_grant_type":
		return "the grant type is not supported"
	}
	return ""
}

// writeError writes a refusal of an endpoint for programs (RFC 6749 section 5.2).
func (p *Provider) writeError(w http.ResponseWriter, r *http.Request, e *oauthError) {
	p.logError(r, e)
	h := w.Header()
	if e.status == http.StatusUnauthorized && e.basic {
		h.Set("WWW-Authenticate", `Basic realm="`+p.options.Issuer+`", charset="UTF-8"`)
	}
	if e.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.retryAfter+time.Second-1)/time.Second)))
	}
	body := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.code, legal(e.description)}
	writeJSON(w, e.status, body)
}

// logError writes failures of ours to the log; refusals of a client's are no failures.
func (p *Provider) logError(r *http.Request, e *oauthError) {
	if e.status >= http.StatusInternalServerError {
		p.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "code", e.code, "error", e.cause)
	}
}

// writeJSON writes an answer nobody may keep (RFC 6749 section 5.1).
func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the caller is gone if this fails
}
