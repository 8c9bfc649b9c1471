package oidc

import (
	"net/http"

	"sallyport/mfa"
)

// Refusal is how a refusal of a login is told to a client program: an HTTP status and
// an OAuth error code (RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6). What
// is not listed is a failure of ours and tells nothing.
func Refusal(code mfa.Code) (int, string) {
	switch code {
	case mfa.InvalidRequest, mfa.InvalidIdentifier, mfa.AlreadyEnrolled, mfa.IdentifierTaken, mfa.PasswordTooShort,
		mfa.PasswordTooLong, mfa.PasswordTooCommon:
		return http.StatusBadRequest, "invalid_request"
	case mfa.UnknownRequest, mfa.RequestOver, mfa.RequestChanged, mfa.InvalidCredentials, mfa.InvalidPasscode, mfa.Replayed,
		mfa.InvalidExchange, mfa.EnrollmentExpired, mfa.UserNotFound:
		return http.StatusBadRequest, "invalid_grant"
	case mfa.NotAllowed, mfa.NotConfigured:
		return http.StatusForbidden, "access_denied"
	case mfa.NotSignedIn, mfa.ReauthenticationRequired:
		return http.StatusUnauthorized, "login_required"
	case mfa.TooMany, mfa.Locked, mfa.TooManyInitiations:
		return http.StatusTooManyRequests, "access_denied"
	case mfa.Busy:
		return http.StatusServiceUnavailable, "temporarily_unavailable"
	}
	return http.StatusInternalServerError, "server_error"
}
