package api

import (
	"errors"
	"net/http"
	"strings"

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
	mfa.InvalidRequest:           {http.StatusBadRequest, "A member is missing or malformed; nothing was counted."},
	mfa.UnknownRequest:           {http.StatusNotFound, "There is no such login, or it is not yours to continue."},
	mfa.RequestOver:              {http.StatusGone, "The login was finished or cancelled before."},
	mfa.RequestChanged:           {http.StatusConflict, "The login stands elsewhere by now; ask for its step."},
	mfa.NotAllowed:               {http.StatusForbidden, "The caller may not do this: the owner of the login shows its login_token, and a login that began in a browser ends there."},
	mfa.InvalidCredentials:       {http.StatusUnprocessableEntity, "Identifier or password is wrong."},
	mfa.InvalidPasscode:          {http.StatusUnprocessableEntity, "The code is wrong."},
	mfa.Replayed:                 {http.StatusUnprocessableEntity, "The code was used before; wait for the next one."},
	mfa.InvalidExchange:          {http.StatusConflict, "This try is over; begin another one."},
	mfa.NotConfigured:            {http.StatusConflict, "The method is not on offer here."},
	mfa.TooMany:                  {http.StatusTooManyRequests, "Too many failures; Retry-After says how long to wait."},
	mfa.Locked:                   {http.StatusForbidden, "The factor is switched off after too many failures."},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, "The login has begun too many tries, or was asked about too many names; begin another login."},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, "Too much comes from your address or network; Retry-After says how long to wait."},
	mfa.Busy:                     {http.StatusServiceUnavailable, "The server is working off other logins; Retry-After says how long."},
	mfa.EnrollmentExpired:        {http.StatusConflict, "The enrolment is over; begin another one."},
	mfa.AlreadyEnrolled:          {http.StatusConflict, "There is one of its kind already."},
	mfa.NotSignedIn:              {http.StatusForbidden, "Nobody is signed in."},
	mfa.ReauthenticationRequired: {http.StatusForbidden, "The proofs given are too old or too weak for this; restart the login."},
	mfa.PasswordTooShort:         {http.StatusUnprocessableEntity, "The password has fewer than {{.Least}} characters."},
	mfa.PasswordTooLong:          {http.StatusUnprocessableEntity, "The password is too long."},
	mfa.PasswordTooCommon:        {http.StatusUnprocessableEntity, "The password is among the first that others would try."},
	mfa.PasswordBreached:         {http.StatusUnprocessableEntity, "The password was stolen elsewhere before, and is among the first that others would try."},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, "New passwords cannot be checked now, so none is taken; Retry-After says how long to wait."},
	mfa.IdentifierTaken:          {http.StatusConflict, "The name is taken."},
	mfa.InvalidIdentifier:        {http.StatusUnprocessableEntity, "This is no e-mail address, phone number or user name."},
	mfa.UserNotFound:             {http.StatusNotFound, "There is no such user."},
}

// refuse writes why a request does not reach its call.
func refuse(c *gin.Context, f web.Fault) {
	problem.Problem{Status: f.Status, Code: web.ErrorCode(f.Status), Detail: strings.ToUpper(f.Reason[:1]) + f.Reason[1:] + "."}.Write(c)
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
	e, r, known := problem.Lookup(refusals, err)
	if !known {
		p := problem.Problem{Status: problem.Unexpected(c, s.log, err)}
		if p.Code = web.ErrorCode(p.Status); p.Status == http.StatusServiceUnavailable {
			p.Detail = "Try again later."
		}
		p.Write(c)
		return
	}
	problem.Refused(c, s.log, e)

	problem.Problem{Status: r.status, Code: string(e.Code), Detail: e.Text(r.detail), Exchange: exchange}.Write(c)
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
