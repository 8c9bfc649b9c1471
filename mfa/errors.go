package mfa

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code is the reason of a refusal. Each surface maps it to its wire format; docs/errors.md
// lists them side by side.
type Code string

// The codes.
const (
	// InvalidRequest: a parameter is missing or malformed; nothing was counted.
	InvalidRequest Code = "invalid_request"
	// UnknownRequest: the request_id is unknown, expired, or belongs to another browser.
	UnknownRequest Code = "unknown_request"
	// RequestOver: the login was completed or cancelled before.
	RequestOver Code = "request_over"
	// RequestChanged: another tab or call changed the login meanwhile.
	RequestChanged Code = "request_changed"
	// NotAllowed: the caller may not continue this login (no binding, foreign origin).
	NotAllowed Code = "not_allowed"
	// InvalidCredentials: the user is unknown or disabled, or the password is wrong.
	InvalidCredentials Code = "invalid_credentials"
	// InvalidPasscode: the code is wrong, or the factor is a decoy.
	InvalidPasscode Code = "invalid_passcode"
	// Replayed: the code is right but was used before.
	Replayed Code = "replayed"
	// InvalidExchange: spent, superseded, cancelled, expired, out of attempts, or not the caller's.
	InvalidExchange Code = "invalid_exchange"
	// NotConfigured: the user or the client has no such method, or the usage is not allowed.
	NotConfigured Code = "not_configured"
	// TooMany: failures impose a wait, of RetryAfter.
	TooMany Code = "too_many_attempts"
	// Locked: too many failures disabled the factor; an administrator can enable it.
	Locked Code = "locked"
	// TooManyInitiations: the login has started too many tries.
	TooManyInitiations Code = "too_many_initiations"
	// TooManyRequests: the budget of the caller's address or network is used up for RetryAfter.
	TooManyRequests Code = "too_many_requests"
	// Busy: the queue for password hashes is full; retry after RetryAfter.
	Busy Code = "busy"
	// EnrollmentExpired: the enrolment was not confirmed before it expired.
	EnrollmentExpired Code = "enrollment_expired"
	// AlreadyEnrolled: the user holds the maximum number of authenticators of the method.
	AlreadyEnrolled Code = "already_enrolled"
	// LastWay: the user could not sign in without the authenticator.
	LastWay Code = "last_way"
	// EnrollmentCodeRequired: an administrator has reset the user's factors, so that the next
	// enrolment needs a code that the administrator or a mail brings.
	EnrollmentCodeRequired Code = "enrollment_code_required"
	// NotSignedIn: there is no active session.
	NotSignedIn Code = "not_signed_in"
	// ReauthenticationRequired: the session's proofs are too old or too weak for the change.
	ReauthenticationRequired Code = "reauthentication_required"
	// PasswordTooShort, PasswordTooLong, PasswordTooCommon: the new password is refused.
	PasswordTooShort  Code = "password_too_short"
	PasswordTooLong   Code = "password_too_long"
	PasswordTooCommon Code = "password_too_common"
	// PasswordBreached: the new password is in the operator's file of breached passwords.
	PasswordBreached Code = "password_breached"
	// PasswordUnchecked: that file cannot be searched, so no new password is accepted.
	PasswordUnchecked Code = "password_unchecked"
	// IdentifierTaken: another user has the identifier.
	IdentifierTaken Code = "identifier_taken"
	// InvalidIdentifier: not an e-mail address, phone number or user name.
	InvalidIdentifier Code = "invalid_identifier"
	// PasscodeExpired: the code is right but has expired.
	PasscodeExpired Code = "passcode_expired"
	// TooManyMessages: no code is sent to the address, or for the caller, for RetryAfter.
	TooManyMessages Code = "too_many_messages"
	// AddressNotAllowed: the server sends no text messages to the number's country.
	AddressNotAllowed Code = "address_not_allowed"
	// TermsRequired: the terms of use have to be accepted.
	TermsRequired Code = "terms_required"
	// UserNotFound: there is no such user; returned to administrators and backends only.
	UserNotFound Code = "user_not_found"
	// IdentifierNotFound: no user has the address; returned to backends only.
	IdentifierNotFound Code = "identifier_not_found"
	// SessionNotFound: there is no such live session; returned to backends only.
	SessionNotFound Code = "session_not_found"
	// OtherUser: the session is another user's; returned to backends only.
	OtherUser Code = "other_user"
	// DeviceMismatch: the proof comes from another device than it was begun on; returned to
	// backends only.
	DeviceMismatch Code = "device_mismatch"
)

// Codes returns every code, in the order of docs/errors.md.
func Codes() []Code {
	return []Code{InvalidRequest, UnknownRequest, RequestOver, RequestChanged, NotAllowed, InvalidCredentials,
		InvalidPasscode, Replayed, InvalidExchange, NotConfigured, TooMany, Locked, TooManyInitiations, TooManyRequests, Busy,
		EnrollmentExpired, AlreadyEnrolled, LastWay, EnrollmentCodeRequired, NotSignedIn, ReauthenticationRequired, PasswordTooShort, PasswordTooLong,
		PasswordTooCommon, PasswordBreached, PasswordUnchecked, IdentifierTaken, InvalidIdentifier, PasscodeExpired, TooManyMessages,
		AddressNotAllowed, TermsRequired, UserNotFound, IdentifierNotFound, SessionNotFound, OtherUser, DeviceMismatch}
}

// Error is a refusal. Err is logged and never shown.
type Error struct {
	Code       Code
	RetryAfter time.Duration // with TooMany, TooManyRequests, TooManyMessages, Busy, PasswordUnchecked
	// Params are the values of {{.NAME}} in texts: with PasswordTooShort "Least", the
	// minimum length in characters.
	Params map[string]string
	// Unknown is what PublicKeyCredential.signalUnknownCredential takes (WebAuthn Level 3 section
	// 5.1.10.1), where a passkey is refused that no account has; nil: some account has it.
	Unknown json.RawMessage
	Err     error
}

// Text returns a text about the refusal with Params filled in.
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

// NeedsOperator reports whether an operator has to fix the cause, which is to be logged as
// an error.
func (e *Error) NeedsOperator() bool { return e.Code == PasswordUnchecked }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of a refusal, and "" for any other error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// UnknownOf returns Unknown of a refusal.
func UnknownOf(err error) json.RawMessage {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Unknown
	}
	return nil
}

// Refuse returns a refusal with code where err is cause, such as storage.ErrNotFound, and
// Wrap(operation, err) otherwise.
func Refuse(operation string, err, cause error, code Code) error {
	if errors.Is(err, cause) {
		return &Error{Code: code}
	}
	return Wrap(operation, err)
}

// Wrap prefixes an error with the operation that failed; nil stays nil.
func Wrap(operation string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}
