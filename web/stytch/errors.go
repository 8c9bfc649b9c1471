package stytch

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/mfa/recovery"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/backendcall"
	"sallyport/web/problem"
	"sallyport/web/wireid"
)

// refusal is the response to one code.
type refusal struct {
	status int
	kind   string // error_type
	text   string // error_message, for developers; it never holds anything of the request
}

// words are the responses to codes.
type words map[mfa.Code]refusal

// Responses that several codes or places share.
var (
	badRequest   = refusal{http.StatusBadRequest, "bad_request", "The request body is not an acceptable JSON object, or a value in it has the wrong type or size."}
	unauthorized = refusal{http.StatusUnauthorized, "unauthorized_credentials", "The project_id or the secret is wrong. Send both by HTTP basic authentication."}
	forbidden    = refusal{http.StatusForbidden, "unauthorized_action", "The credentials do not allow this call."}
	unsupported  = refusal{http.StatusBadRequest, "unavailable_endpoint", "The server does not have what this call needs."}
	noSession    = refusal{http.StatusNotFound, "session_not_found", "There is no such live session."}
	locked       = refusal{http.StatusTooManyRequests, "user_lock_limit_reached", "The user is locked after too many failed attempts."}
	tooMany      = refusal{http.StatusTooManyRequests, "too_many_requests", "Too many requests. Try again later."}
	wrongTOTP    = refusal{http.StatusUnauthorized, "unable_to_authenticate_totp", "The TOTP code is wrong."}
	wrongCode    = refusal{http.StatusUnauthorized, "unable_to_authenticate_recovery_code", "The recovery code is unknown or was used before."}
	unknownOTP   = refusal{http.StatusNotFound, "otp_code_not_found", "The code is wrong, was superseded by a newer one, or none is outstanding."}
	spentOTP     = refusal{http.StatusUnauthorized, "unable_to_auth_otp_code", "The code was used before or has expired."}
	conflict     = refusal{http.StatusConflict, "conflict", "The record was changed meanwhile. Repeat the call."}
	badPassword  = refusal{http.StatusBadRequest, "bad_request", "The password is not acceptable."}
)

// refusals maps every code to its response.
var refusals = words{
	mfa.InvalidRequest:           badRequest,
	mfa.UnknownRequest:           unsupported,
	mfa.RequestOver:              unsupported,
	mfa.RequestChanged:           conflict,
	mfa.NotAllowed:               forbidden,
	mfa.InvalidCredentials:       unauthorized,
	mfa.InvalidPasscode:          wrongTOTP,
	mfa.Replayed:                 {http.StatusBadRequest, "totp_code_already_authenticated", "The TOTP code was used before. Wait for the next one."},
	mfa.InvalidExchange:          unsupported,
	mfa.NotConfigured:            {http.StatusNotFound, "totps_not_found_for_user", "The user has no TOTP instance."},
	mfa.TooMany:                  locked,
	mfa.Locked:                   locked,
	mfa.TooManyInitiations:       tooMany,
	mfa.TooManyRequests:          tooMany,
	mfa.Busy:                     tooMany,
	mfa.EnrollmentExpired:        {http.StatusUnauthorized, "expired_totp", "The TOTP instance was not authenticated before it expired. Create a new one."},
	mfa.AlreadyEnrolled:          {http.StatusBadRequest, "active_totp_exists", "The user has an active TOTP instance. Delete it before you create another."},
	mfa.LastWay:                  {http.StatusConflict, "conflict", "The user could not sign in without it."},
	mfa.EnrollmentCodeRequired:   unsupported,
	mfa.NotSignedIn:              noSession,
	mfa.ReauthenticationRequired: unsupported,
	mfa.PasswordTooShort:         badPassword,
	mfa.PasswordTooLong:          badPassword,
	mfa.PasswordTooCommon:        badPassword,
	mfa.PasswordBreached:         badPassword,
	mfa.PasswordUnchecked:        unavailable,
	mfa.IdentifierTaken:          {http.StatusBadRequest, "duplicate_email", "Another user has this e-mail address."},
	mfa.InvalidIdentifier:        {http.StatusBadRequest, "invalid_email", "This is not an e-mail address."},
	mfa.PasscodeExpired:          spentOTP,
	mfa.TooManyMessages:          tooMany,
	mfa.TermsRequired:            unsupported,
	mfa.AddressNotAllowed:        {http.StatusBadRequest, "invalid_phone_number_country_code", "The server sends no text messages to this country. Operators add it to the setting sms.countries."},
	mfa.UserNotFound:             {http.StatusNotFound, "user_not_found", "There is no such user."},
	mfa.IdentifierNotFound:       {http.StatusNotFound, "email_not_found", "No user has this e-mail address."},
	mfa.SessionNotFound:          noSession,
	mfa.OtherUser:                {http.StatusBadRequest, "user_id_mismatch", "The session is another user's."},
	mfa.DeviceMismatch:           {http.StatusUnauthorized, "unable_to_auth_otp_code", "The code was requested from another device."},
}

// ofPhone are the responses about a phone number.
var ofPhone = words{
	mfa.IdentifierTaken:    {http.StatusBadRequest, "duplicate_phone_number", "Another user has this phone number."},
	mfa.InvalidIdentifier:  {http.StatusBadRequest, "invalid_phone_number", "This is not a phone number in the format of E.164."},
	mfa.IdentifierNotFound: {http.StatusNotFound, "phone_number_not_found", "No user has this phone number."},
}

// The responses of single calls.
var (
	ofTOTP         = words{mfa.NotConfigured: {http.StatusNotFound, "totp_not_found", "There is no such TOTP instance."}}
	ofTOTPCode     = words{mfa.InvalidRequest: invalidTOTPCode}
	ofRecoveryCode = words{mfa.InvalidRequest: invalidRecoveryCode, mfa.InvalidPasscode: wrongCode, mfa.Replayed: wrongCode}
	ofOTP          = words{mfa.InvalidRequest: invalidCode, mfa.InvalidPasscode: unknownOTP, mfa.NotConfigured: unknownOTP, mfa.Replayed: spentOTP}
)

// ofSending are the responses of the calls that send a code.
func ofSending(ch channel) words {
	off := unsupported
	off.text = problem.SwitchedOff(ch.kind)
	return words{mfa.NotConfigured: off}
}

// Refusals of values before anything is looked up.
var (
	invalidUserID        = refusal{http.StatusBadRequest, "invalid_user_id", "user_id is missing or is not the ID of a user."}
	invalidMethodID      = refusal{http.StatusBadRequest, "invalid_method_id", "The ID is missing or is not that of an e-mail address or phone number."}
	invalidTOTPID        = refusal{http.StatusBadRequest, "invalid_totp_id", "totp_id is not the ID of a TOTP instance."}
	invalidSessionID     = refusal{http.StatusBadRequest, "invalid_session_id", "session_id is not the ID of a session."}
	invalidTOTPCode      = refusal{http.StatusBadRequest, "invalid_totp_code", "totp_code must have 6 digits."}
	invalidRecoveryCode  = refusal{http.StatusBadRequest, "invalid_recovery_code", "recovery_code " + recovery.Shapes + "."}
	invalidCode          = refusal{http.StatusBadRequest, "invalid_code", "code must have 6 digits."}
	invalidCreateUser    = refusal{http.StatusBadRequest, "invalid_create_user_request", "A user needs an e-mail address or a phone number."}
	invalidExpiration    = refusal{http.StatusBadRequest, "invalid_expiration", "expiration_minutes must be from 5 to 1440."}
	invalidExpirationOTP = refusal{http.StatusBadRequest, "invalid_expiration_otp", "expiration_minutes must be from 1 to 10."}
	invalidDuration      = refusal{http.StatusBadRequest, "invalid_session_duration_minutes", "session_duration_minutes must be from 5 to 527040."}
	claimsTooLarge       = refusal{http.StatusBadRequest, "custom_claims_too_large", "session_custom_claims must not be longer than 4 KiB."}
	twoSessions          = refusal{http.StatusBadRequest, "too_many_session_arguments", "Send either session_token or session_jwt."}
	neitherSession       = refusal{http.StatusBadRequest, "no_session_arguments", "Send session_token or session_jwt."}
	revokesSeveral       = refusal{http.StatusBadRequest, "too_many_session_revoke_arguments", "Send one of session_id, session_token and session_jwt."}
	revokesNone          = refusal{http.StatusBadRequest, "no_session_revoke_arguments", "Send session_id, session_token or session_jwt."}
	invalidIP            = refusal{http.StatusBadRequest, "invalid_ip_address", "attributes.ip_address is not an IP address."}
	invalidAgent         = refusal{http.StatusBadRequest, "invalid_user_agent", "attributes.user_agent is too long, or has control characters."}
	noProject            = refusal{http.StatusNotFound, "project_not_found", "There is no such project here."}
)

// causes are the responses to errors that are more precise than their code, or have none.
var causes = map[error]refusal{
	backendcall.ErrUnauthorized: unauthorized,
	backendcall.ErrForbidden:    forbidden,
	backend.ErrClaims:           claimsTooLarge,
}

// Responses to unexpected errors.
var (
	broken      = refusal{http.StatusInternalServerError, "internal_server_error", "Something went wrong. The log has the cause under the request_id."}
	unavailable = refusal{http.StatusServiceUnavailable, "server_unavailable", "The server is not available. Try again later."}
)

// fault is a refusal for a reason that is not one of mfa.Codes().
type fault struct {
	refusal
	cause error // for the log; nil: none
}

// Error implements error.
func (f *fault) Error() string {
	if f.cause == nil {
		return f.kind
	}
	return f.kind + ": " + f.cause.Error()
}

// engineFault is a refusal of the engine.
func engineFault(status int, reason string) error {
	f := &fault{refusal{status, badRequest.kind, web.Sentence(reason)}, nil}
	switch {
	case status == http.StatusNotFound:
		f.refusal = refusal{status, "route_not_found", "There is no such call."}
	case status == http.StatusMethodNotAllowed:
		f.refusal = refusal{status, "method_not_allowed", "The address takes other methods."}
	case status == http.StatusTooManyRequests:
		f.refusal = tooMany
	case status == http.StatusServiceUnavailable:
		f.refusal = unavailable
	case status >= http.StatusInternalServerError:
		f.refusal = broken
	}
	return f
}

// lockedWait is the Retry-After of a factor that only an administrator can enable.
const lockedWait = time.Hour

// errorBody is a refusal.
type errorBody struct {
	envelope
	Type    string `json:"error_type"`
	Message string `json:"error_message"`
	URL     string `json:"error_url"`
}

// fail writes a refusal, and logs it with the request ID of the response.
func (s *Surface) fail(c *gin.Context, err error, own words) {
	r, reason := s.describe(c, err, own)
	b := errorBody{envelope{r.status, wireid.StytchRequest(s.environment, s.random)}, r.kind, r.text, s.docs + "#" + r.kind}
	reason.Reference = b.RequestID
	web.Refused(c, reason)
	c.AbortWithStatusJSON(r.status, b)
}

// describe returns the response to an error and what to log, and sets Retry-After if waiting
// helps.
func (s *Surface) describe(c *gin.Context, err error, own words) (refusal, mfa.Refusal) {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.refusal, mfa.Refusal{Reason: f.kind, Err: f.cause}
	}
	for cause, r := range causes {
		if errors.Is(err, cause) {
			return r, mfa.Refusal{Reason: r.kind, Err: err}
		}
	}
	e, r, known := problem.Lookup(refusals, err)
	if !known {
		r = broken
		if web.FailureStatus(c, err) == unavailable.status {
			r = unavailable
		}
		return r, mfa.Refusal{Reason: web.FailureCode(r.status), Err: err, Operator: true}
	}
	if other, found := own[e.Code]; found {
		r = other
	}
	if other, found := ofPhone[e.Code]; found && backend.KindOf(err) == storage.Phone {
		r = other
	}
	wait := e.RetryAfter
	if e.Code == mfa.Locked {
		wait = lockedWait
	}
	web.RetryAfter(c, wait)
	return r, mfa.Refusal{Reason: string(e.Code), Err: err, Operator: e.NeedsOperator()}
}
