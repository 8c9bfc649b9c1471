package oauth

import (
	"errors"
	"net/http"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/storage"
)

// Error is an OAuth error response. Its cause is only logged.
type Error struct {
	Code        string
	Description string
	Status      int
	Cause       error
	// Basic: the client tried HTTP Basic, so a 401 names that scheme (RFC 6749 section 5.2).
	Basic      bool
	RetryAfter time.Duration // 0: none

	// For the log.
	Reason    string           // one of Reasons; "": the code
	Event     string           // kind of event in the audit trail; "": none
	Client    storage.ClientID // "": the one that the request names
	Parameter string           // "": the one that the code is about
	Value     string           // of the parameter; "": as in the request
}

// Error implements error.
func (e *Error) Error() string {
	text := "provider: " + e.Code
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// NewError returns an error with the HTTP status of its code.
func NewError(code, description string) *Error {
	return &Error{Code: code, Description: description, Status: statusOf(code)}
}

// Unavailable returns the error for a storage failure: the client may try again.
func Unavailable(cause error) *Error {
	return &Error{Code: "temporarily_unavailable", Description: "try again later", Status: http.StatusServiceUnavailable, Cause: cause}
}

// TooMany refuses a caller who caused too much.
func TooMany(refused *mfa.Error) *Error {
	return &Error{Code: "temporarily_unavailable", Description: "too many requests; Retry-After says how long to wait", Cause: refused,
		Reason: string(mfa.TooManyRequests), Status: http.StatusTooManyRequests, RetryAfter: max(refused.RetryAfter, time.Second)}
}

// registered reports whether an error code may be sent to clients (RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1, RFC 8628 section 3.5, RFC 8707 section 2,
// RFC 9449 sections 5 and 8, RFC 7591 section 3.2.2, RFC 9396 section 5,
// OpenID Connect Core section 3.1.2.6, OpenID Connect Client-Initiated Backchannel Authentication section 13).
func registered(code string) bool {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
		"unsupported_response_type", "invalid_scope", "invalid_target", "access_denied", "server_error", "unknown_user_id", "invalid_binding_message",
		"temporarily_unavailable", "login_required", "interaction_required", "consent_required",
		"account_selection_required", "unmet_authentication_requirements", "request_not_supported",
		"request_uri_not_supported", "registration_not_supported", "invalid_request_uri", "invalid_request_object",
		"unsupported_token_type", "invalid_token", "insufficient_scope", "invalid_dpop_proof", "use_dpop_nonce",
		"authorization_pending", "slow_down", "expired_token", "invalid_authorization_details",
		"invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement", "unapproved_software_statement":
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

// StorageError marks a storage failure. fosite turns every unknown error into
// server_error, but keeps it as the cause.
type StorageError struct{ Err error }

// Error implements error.
func (e *StorageError) Error() string { return "storage: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StorageError) Unwrap() error { return e.Err }

// ErrorOf converts an error of fosite or of this server. Codes of fosite that are not
// registered become registered ones; its debug text is dropped.
func ErrorOf(err error) *Error {
	var converted *Error
	if errors.As(err, &converted) {
		return converted
	}
	var failure *StorageError
	if errors.As(err, &failure) {
		return Unavailable(failure)
	}
	var rfc *fosite.RFC6749Error
	if !errors.As(err, &rfc) {
		return &Error{Code: "server_error", Status: http.StatusInternalServerError, Cause: err}
	}
	code := rfc.ErrorField
	switch code {
	case "invalid_state", "insufficient_entropy", "unsupported_response_mode":
		code = "invalid_request"
	case "token_inactive", "not_found", "token_claim", "token_signature_mismatch", "scope_not_granted", "jti_known":
		code = "invalid_grant"
	}
	if !registered(code) {
		return &Error{Code: "server_error", Status: http.StatusInternalServerError, Cause: err}
	}
	e := Standard(code)
	if code == "server_error" {
		e.Cause = err
	}
	return e
}

// Standard returns the error of a code with its usual description.
func Standard(code string) *Error { return NewError(code, describe(code)) }

// describe returns the description of an error that fosite returned. fosite's texts
// echo the request and name its settings, so they are not used.
func describe(code string) string {
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
	case "authorization_pending":
		return "the user has not decided yet"
	case "slow_down":
		return "the request came too soon: wait five seconds longer from now on"
	case "expired_token":
		return "the user did not decide in time"
	case "unsupported_grant_type":
		return "the grant type is not supported"
	}
	return ""
}
