package api

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/jsonbody"
	"sallyport/web/problem"
)

// The code of a problem is one of mfa.Codes(), of /requests also an OAuth error code, or
// one of web.ErrorCode. The texts are for the developers of the application, which has
// its own for its users.

type refusal struct {
	status int
	detail string
}

// refusals maps every code to its HTTP status and to a text for a developer.
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           {http.StatusBadRequest, "A member is missing or malformed. This did not count as an attempt."},
	mfa.UnknownRequest:           {http.StatusNotFound, "There is no such login, or the caller may not continue it."},
	mfa.RequestOver:              {http.StatusGone, "The login was already finished or cancelled."},
	mfa.RequestChanged:           {http.StatusConflict, "The login is at another step; call /step to get it."},
	mfa.NotAllowed:               {http.StatusForbidden, "The caller may not do this. The owner of a login must send its login_token; a login that began in a browser must end there."},
	mfa.InvalidCredentials:       {http.StatusUnprocessableEntity, "The identifier or password is wrong."},
	mfa.InvalidPasscode:          {http.StatusUnprocessableEntity, "The code is wrong."},
	mfa.Replayed:                 {http.StatusUnprocessableEntity, "The code was used before; wait for the next one."},
	mfa.InvalidExchange:          {http.StatusConflict, "This attempt has ended; begin another one."},
	mfa.NotConfigured:            {http.StatusConflict, "The method is not available in this login."},
	mfa.TooMany:                  {http.StatusTooManyRequests, "Too many failures; Retry-After says how long to wait."},
	mfa.Locked:                   {http.StatusForbidden, "The factor was disabled after too many failures."},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, "Too many attempts were begun, or too many identifiers tried, in this login; begin another login."},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, "Too many requests from this address or network; Retry-After says how long to wait."},
	mfa.Busy:                     {http.StatusServiceUnavailable, "The server is busy with other logins; Retry-After says how long to wait."},
	mfa.EnrollmentExpired:        {http.StatusConflict, "The enrolment has expired; begin another one."},
	mfa.AlreadyEnrolled:          {http.StatusConflict, "The user already has an authenticator of this kind."},
	mfa.LastWay:                  {http.StatusConflict, "The user could not sign in without it."},
	mfa.EnrollmentCodeRequired:   {http.StatusForbidden, "An administrator has reset the user's factors. Send the enrollment_code that the user got from them, or by mail from /enroll/code."},
	mfa.NotSignedIn:              {http.StatusForbidden, "No user is signed in."},
	mfa.ReauthenticationRequired: {http.StatusForbidden, "The proofs in this login are too old or too weak for this; restart the login."},
	mfa.PasswordTooShort:         {http.StatusUnprocessableEntity, "The password has fewer than {{.Least}} characters."},
	mfa.PasswordTooLong:          {http.StatusUnprocessableEntity, "The password is too long."},
	mfa.PasswordTooCommon:        {http.StatusUnprocessableEntity, "The password is one of the first that attackers try."},
	mfa.PasswordBreached:         {http.StatusUnprocessableEntity, "The password is known from a data breach and is one of the first that attackers try."},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, "New passwords cannot be checked at the moment, so none is accepted; Retry-After says how long to wait."},
	mfa.IdentifierTaken:          {http.StatusConflict, "The name is taken."},
	mfa.InvalidIdentifier:        {http.StatusUnprocessableEntity, "This is not an e-mail address, phone number or user name."},
	mfa.PasscodeExpired:          {http.StatusUnprocessableEntity, "The code has expired; begin another attempt to get a new one."},
	mfa.TooManyMessages:          {http.StatusTooManyRequests, "Too many codes were sent; Retry-After says how long to wait."},
	mfa.TermsRequired:            {http.StatusUnprocessableEntity, "Send terms_version, that of the terms of use which the user accepts."},
	mfa.AddressNotAllowed:        {http.StatusUnprocessableEntity, "The server sends no text messages to this country."},
	mfa.UserNotFound:             {http.StatusNotFound, "There is no such user."},
	mfa.IdentifierNotFound:       {http.StatusNotFound, "No user has this address."},
	mfa.SessionNotFound:          {http.StatusNotFound, "There is no such session."},
	mfa.OtherUser:                {http.StatusConflict, "The session is another user's."},
	mfa.DeviceMismatch:           {http.StatusConflict, "The proof comes from another device than it was begun on."},
}

// refuse writes why a request does not reach its call.
func refuse(c *gin.Context, f web.Fault) {
	f.Refused(c)
	problem.Problem{Status: f.Status, Code: web.ErrorCode(f.Status), Detail: web.Sentence(f.Reason)}.Write(c)
}

// read reads the body of a call. It ignores members that no call reads, so that a newer
// caller can talk to an older server.
func (s *Surface) read(c *gin.Context) (*jsonbody.Object, bool) {
	in, f := jsonbody.Read(c)
	if f != nil {
		refuse(c, *f)
	}
	return in, f == nil
}

// fail writes why a call failed; exchange is for the next attempt, "" for none.
func (s *Surface) fail(c *gin.Context, err error, exchange storage.ExchangeID) {
	var faults problem.Faults
	if errors.As(err, &faults) {
		problem.Problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Parameter: faults[0].Field,
			Detail: refusals[mfa.InvalidRequest].detail}.Write(c)
		return
	}
	if wrong, ok := errors.AsType[*mfa.ClaimError](err); ok {
		problem.Problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Parameter: "claims." + wrong.Claim,
			Detail: refusals[mfa.InvalidRequest].detail}.Write(c)
		return
	}
	e, r, known := problem.Lookup(refusals, err)
	if !known {
		p := problem.Problem{Status: problem.Unexpected(c, err)}
		if p.Code = web.ErrorCode(p.Status); p.Status == http.StatusServiceUnavailable {
			p.Detail = "Try again later."
		}
		p.Write(c)
		return
	}
	problem.Refused(c, e)
	problem.Problem{Status: r.status, Code: string(e.Code), Detail: e.Text(r.detail), Exchange: exchange, UnknownCredential: e.Unknown,
		SupportURL: cmp.Or(c.GetString(supportKey), s.support)}.Write(c)
}

// notOpened writes why a login was refused before it began, with OAuth's error code.
func (s *Surface) notOpened(c *gin.Context, err error) {
	var e *provider.PageError
	if !errors.As(err, &e) {
		s.fail(c, err, "")
		return
	}
	status := http.StatusBadRequest
	if e.Code == "unauthorized_client" {
		status = http.StatusForbidden
	}
	problem.Problem{Status: status, Code: e.Code, Detail: e.Description, Parameter: e.Parameter}.Write(c)
}
