package streambird

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/backend"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/backendcall"
	"sallyport/web/problem"
)

// refusal is the body of a refused call. The status is that of the response too. The text is
// for people and holds nothing of the request.
type refusal struct {
	Status int    `json:"status_code"`
	Text   string `json:"error_message"`
	Type   string `json:"error_type"`
}

// Error implements error, for refusals without a code of package mfa.
func (r refusal) Error() string { return r.Type + ": " + r.Text }

// Refusals of wrong responses, by the call that takes them.
var (
	invalidTOTP         = refusal{http.StatusBadRequest, "Invalid TOTP Code.", "invalid_totp"}
	invalidRecoveryCode = refusal{http.StatusBadRequest, "Invalid Recovery Code.", "invalid_recovery_code"}
	invalidOTP          = refusal{http.StatusBadRequest, "Invalid OTP Code.", "invalid_otp"}
)

// ofResponse are the codes about a response. A call that takes one has one refusal for them
// all, which does not tell how close a guess was.
var ofResponse = []mfa.Code{mfa.InvalidRequest, mfa.InvalidPasscode, mfa.Replayed, mfa.PasscodeExpired, mfa.EnrollmentExpired}

const validation = "validation_error"

var (
	unauthorized = refusal{http.StatusUnauthorized, "The API key is missing or not valid here.", "unauthorized"}
	forbidden    = refusal{http.StatusUnauthorized, "The API key does not allow this call.", "unauthorized"} // 403 means a locked user
	malformed    = refusal{http.StatusBadRequest, "The request is not valid.", validation}
	lockedUser   = refusal{http.StatusForbidden, "Too many wrong codes. The user is locked for now.", "user_locked"}
	limited      = refusal{http.StatusTooManyRequests, "Too many requests. Try again later.", "too_many_requests"}
	conflict     = refusal{http.StatusConflict, "Another call has changed this meanwhile.", "conflict"}
	noSession    = refusal{http.StatusNotFound, "There is no such session.", "session_not_found"}
)

// refusals maps every code to its response. Those that package backend does not return are
// refused as what they come closest to.
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           malformed,
	mfa.UnknownRequest:           malformed,
	mfa.RequestOver:              malformed,
	mfa.RequestChanged:           conflict,
	mfa.NotAllowed:               unauthorized,
	mfa.InvalidCredentials:       malformed,
	mfa.InvalidPasscode:          invalidOTP,
	mfa.Replayed:                 invalidOTP,
	mfa.InvalidExchange:          malformed,
	mfa.NotConfigured:            {http.StatusNotFound, "The user has no TOTP.", "totp_not_found"},
	mfa.TooMany:                  lockedUser,
	mfa.Locked:                   lockedUser,
	mfa.TooManyInitiations:       limited,
	mfa.TooManyRequests:          limited,
	mfa.Busy:                     limited,
	mfa.EnrollmentExpired:        invalidTOTP,
	mfa.AlreadyEnrolled:          {http.StatusConflict, "The user already has a verified TOTP.", "totp_already_exists"},
	mfa.LastWay:                  {http.StatusConflict, "The user could not sign in without it.", "conflict"},
	mfa.EnrollmentCodeRequired:   malformed,
	mfa.NotSignedIn:              noSession,
	mfa.ReauthenticationRequired: malformed,
	mfa.PasswordTooShort:         malformed,
	mfa.PasswordTooLong:          malformed,
	mfa.PasswordTooCommon:        malformed,
	mfa.PasswordBreached:         malformed,
	mfa.PasswordUnchecked:        limited,
	mfa.IdentifierTaken:          {http.StatusConflict, "The address belongs to another user.", "duplicate_email"},
	mfa.InvalidIdentifier:        {http.StatusBadRequest, "The address is not valid.", "invalid_email"},
	mfa.PasscodeExpired:          invalidOTP,
	mfa.TooManyMessages:          limited,
	mfa.TermsRequired:            malformed,
	mfa.AddressNotAllowed:        {http.StatusBadRequest, "No messages are sent to this country. Operators add it to the setting sms.countries.", "invalid_phone_number"},
	mfa.UserNotFound:             {http.StatusNotFound, "There is no such user.", "user_not_found"},
	mfa.IdentifierNotFound:       {http.StatusNotFound, "There is no such e-mail address.", "email_not_found"},
	mfa.SessionNotFound:          noSession,
	mfa.OtherUser:                {http.StatusBadRequest, "The session belongs to another user.", "session_user_mismatch"},
	mfa.DeviceMismatch:           {http.StatusBadRequest, "The device is not the one that asked for the code.", "device_fingerprint_mismatch"},
}

// ofPhone are the refusals about phone numbers, where refusals has those about e-mail
// addresses.
var ofPhone = map[mfa.Code]refusal{
	mfa.IdentifierTaken:    {http.StatusConflict, "The phone number belongs to another user.", "duplicate_phone_number"},
	mfa.InvalidIdentifier:  {http.StatusBadRequest, "The phone number is not + and 7 to 15 digits.", "invalid_phone_number"},
	mfa.IdentifierNotFound: {http.StatusNotFound, "There is no such phone number.", "phone_number_not_found"},
}

// longestWait is the longest Retry-After: the Python library waits as long as it says.
const longestWait = 30 * time.Second

// invalid returns the refusal of a malformed call.
func invalid(text string) error {
	return refusal{http.StatusBadRequest, text, validation}
}

// fail writes why a call is refused or failed.
func (s *Surface) fail(c *gin.Context, x route, err error) {
	switch {
	case errors.Is(err, backendcall.ErrUnauthorized):
		err = unauthorized
	case errors.Is(err, backendcall.ErrForbidden):
		err = forbidden
	}
	if r, own := errors.AsType[refusal](err); own {
		web.Refused(c, mfa.Refusal{Reason: r.Type, Err: r})
		refuse(c, r)
		return
	}
	e, r, known := problem.Lookup(refusals, err)
	if !known {
		refuse(c, refusalOf(problem.Unexpected(c, err), "unexpected"))
		return
	}
	problem.Explain(c, e)
	if x.wrong.Status != 0 && slices.Contains(ofResponse, e.Code) {
		r = x.wrong
	}
	if p, has := ofPhone[e.Code]; has && backend.KindOf(err) == storage.Phone {
		r = p
	}
	if r.Status == http.StatusTooManyRequests {
		web.RetryAfter(c, min(max(e.RetryAfter, time.Second), longestWait))
	}
	refuse(c, r)
}

func refuse(c *gin.Context, r refusal) { write(c, r.Status, r) }

// refusalOf returns the refusal for a status that the engine or an unexpected error has.
func refusalOf(status int, reason string) refusal {
	kind := strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	switch status {
	case http.StatusBadRequest:
		kind = validation
	case http.StatusInternalServerError:
		reason = "something went wrong here"
	case http.StatusServiceUnavailable:
		reason = "the server cannot respond now"
	}
	return refusal{status, web.Sentence(reason), kind}
}
