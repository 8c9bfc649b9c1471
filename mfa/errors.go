package mfa

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code says why something was refused. Every surface maps each of them to its own
// wire form; docs/errors.md shows them side by side.
type Code string

// The codes.
const (
	// InvalidRequest: a parameter is missing or malformed; nothing was counted.
	InvalidRequest Code = "invalid_request"
	// UnknownRequest: the request_id is unknown, expired, or belongs to another browser.
	UnknownRequest Code = "unknown_request"
	// RequestOver: the login was completed or cancelled before.
	RequestOver Code = "request_over"
	// RequestChanged: another tab or call moved the login on meanwhile.
	RequestChanged Code = "request_changed"
	// NotAllowed: the caller may not continue this login (no binding, foreign origin).
	NotAllowed Code = "not_allowed"
	// InvalidCredentials: unknown user, wrong password or disabled user alike.
	InvalidCredentials Code = "invalid_credentials"
	// InvalidPasscode: the code is wrong, for a decoy too.
	InvalidPasscode Code = "invalid_passcode"
	// Replayed: the code is right and was used before.
	Replayed Code = "replayed"
	// InvalidExchange: spent, superseded, cancelled, expired, out of tries, or foreign.
	InvalidExchange Code = "invalid_exchange"
	// NotConfigured: the user or the client has no such method, or the usage is not allowed.
	NotConfigured Code = "not_configured"
	// TooMany: a wait runs after failures; RetryAfter says how long.
	TooMany Code = "too_many_attempts"
	// Locked: so many failures that only an administrator switches the factor on again.
	Locked Code = "locked"
	// TooManyInitiations: the login has begun too many tries.
	TooManyInitiations Code = "too_many_initiations"
	// TooManyRequests: so much comes from the caller's address or network that no more is
	// taken in now; RetryAfter says how long.
	TooManyRequests Code = "too_many_requests"
	// Busy: the server is working off other logins; RetryAfter says how long.
	Busy Code = "busy"
	// EnrollmentExpired: the enrolment was not confirmed in its time.
	EnrollmentExpired Code = "enrollment_expired"
	// AlreadyEnrolled: there are as many of its kind as there may be.
	AlreadyEnrolled Code = "already_enrolled"
	// NotSignedIn: there is no living session.
	NotSignedIn Code = "not_signed_in"
	// ReauthenticationRequired: the session's proofs are too old or too weak for the change.
	ReauthenticationRequired Code = "reauthentication_required"
	// PasswordTooShort, PasswordTooLong, PasswordTooCommon: the new password is refused.
	PasswordTooShort  Code = "password_too_short"
	PasswordTooLong   Code = "password_too_long"
	PasswordTooCommon Code = "password_too_common"
	// PasswordBreached: the new password is in the operator's file of breached ones.
	PasswordBreached Code = "password_breached"
	// PasswordUnchecked: that file cannot be searched, so no new password is taken.
	PasswordUnchecked Code = "password_unchecked"
	// IdentifierTaken: another user has that name.
	IdentifierTaken Code = "identifier_taken"
	// InvalidIdentifier: not an e-mail address, phone number or user name.
	InvalidIdentifier Code = "invalid_identifier"
	// UserNotFound: there is no such user; told to administrators and backends only.
	UserNotFound Code = "user_not_found"
)

// Codes returns every code, in the order of docs/errors.md.
func Codes() []Code {
	return []Code{InvalidRequest, UnknownRequest, RequestOver, RequestChanged, NotAllowed, InvalidCredentials,
		InvalidPasscode, Replayed, InvalidExchange, NotConfigured, TooMany, Locked, TooManyInitiations, TooManyRequests, Busy,
		EnrollmentExpired, AlreadyEnrolled, NotSignedIn, ReauthenticationRequired, PasswordTooShort, PasswordTooLong,
		PasswordTooCommon, PasswordBreached, PasswordUnchecked, IdentifierTaken, InvalidIdentifier, UserNotFound}
}

// Error is a refusal. Err is for the log and never shown.
type Error struct {
	Code       Code
	RetryAfter time.Duration // with TooMany, TooManyRequests, Busy, PasswordUnchecked
	// Params are values that texts about the refusal name, as {{.NAME}}: "Least", the
	// characters a password needs, with PasswordTooShort.
	Params map[string]string
	Err    error
}

// Text returns a surface's text about the refusal, with its parameters filled in.
func (e *Error) Text(text string) string {
	for name, value := range e.Params {
		text = strings.ReplaceAll(text, "{{."+name+"}}", value)
	}
	return text
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "mfa: " + string(e.Code)
	}
	return fmt.Sprintf("mfa: %s: %v", e.Code, e.Err)
}

// Ours reports whether an operator has to mend something before it can go on. The cause
// belongs into the log as an error.
func (e *Error) Ours() bool { return e.Code == PasswordUnchecked }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of a refusal, or "" for any other error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Wrap adds what was being done to an error; nil stays nil.
func Wrap(operation string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}
