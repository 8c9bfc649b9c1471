package admin

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/invitation"
	"sallyport/mfa/messages"
	"sallyport/provider/apikeys"
	"sallyport/provider/clients"
	"sallyport/provider/desired"
	"sallyport/provider/registration"
	"sallyport/provider/secret"
	"sallyport/web"
	"sallyport/web/problem"
)

// The response to every failed call is a Problem. Its Detail is for an operator: the
// commands print it. Its Parameter is one of the query.
type (
	Problem = problem.Problem
	Fault   = problem.Fault
	Faults  = problem.Faults
)

// Codes besides those of mfa and web.ErrorCode.
const (
	codeUnauthorized = "unauthorized"
	codeNotFound     = "not_found"
	codeMethod       = "method_not_allowed"
	codeConflict     = "conflict"
)

type refusal struct {
	status int
	words  string
}

// refusals maps every code to its HTTP status and to a text for an operator. Codes that
// only a login returns have theirs too, so that no code can lack one.
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           {http.StatusBadRequest, "the request is malformed"},
	mfa.UnknownRequest:           {http.StatusNotFound, "there is no such login"},
	mfa.RequestOver:              {http.StatusGone, "the login has ended"},
	mfa.RequestChanged:           {http.StatusConflict, "another caller changed it in the meantime"},
	mfa.NotAllowed:               {http.StatusForbidden, "this is not allowed"},
	mfa.InvalidCredentials:       {http.StatusUnprocessableEntity, "name or password is wrong"},
	mfa.InvalidPasscode:          {http.StatusUnprocessableEntity, "the code is wrong"},
	mfa.Replayed:                 {http.StatusUnprocessableEntity, "the code was used before"},
	mfa.InvalidExchange:          {http.StatusConflict, "the attempt has ended"},
	mfa.NotConfigured:            {http.StatusConflict, "there is no such method or device"},
	mfa.TooMany:                  {http.StatusTooManyRequests, "too many failures; try again later"},
	mfa.Locked:                   {http.StatusForbidden, "the factor is locked"},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, "too many attempts were begun"},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, "too many requests from one address"},
	mfa.Busy:                     {http.StatusServiceUnavailable, "the server is busy hashing passwords; try again"},
	mfa.EnrollmentExpired:        {http.StatusConflict, "the enrolment has ended"},
	mfa.AlreadyEnrolled:          {http.StatusConflict, "the user already has an authenticator of this kind"},
	mfa.LastWay:                  {http.StatusConflict, "the user could not sign in without it"},
	mfa.EnrollmentCodeRequired:   {http.StatusConflict, "an enrollment code is required"},
	mfa.NotSignedIn:              {http.StatusNotFound, "there is no such session, or it has ended"},
	mfa.ReauthenticationRequired: {http.StatusForbidden, "the proofs are too old or too weak"},
	mfa.PasswordTooShort:         {http.StatusUnprocessableEntity, "the password has fewer than {{.Least}} characters"},
	mfa.PasswordTooLong:          {http.StatusUnprocessableEntity, "the password has more than 1024 bytes"},
	mfa.PasswordTooCommon:        {http.StatusUnprocessableEntity, "the password is a common one, or is derived from a name of the user, the product or the issuer"},
	mfa.PasswordBreached:         {http.StatusUnprocessableEntity, "the password is in the file of breached passwords (passwords.breached_file), which attackers try first"},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, "the file of breached passwords (passwords.breached_file) cannot be searched, so no new password is accepted; the server's log says why"},
	mfa.IdentifierTaken:          {http.StatusConflict, "another user has that name or ID"},
	mfa.InvalidIdentifier:        {http.StatusUnprocessableEntity, "is not an e-mail address, phone number or user name"},
	mfa.PasscodeExpired:          {http.StatusUnprocessableEntity, "the code has expired"},
	mfa.TooManyMessages:          {http.StatusTooManyRequests, "too many messages were sent to this address; see Retry-After"},
	mfa.TermsRequired:            {http.StatusUnprocessableEntity, "the terms of use have to be accepted"},
	mfa.AddressNotAllowed:        {http.StatusUnprocessableEntity, "no text messages are sent to this country"},
	mfa.UserNotFound:             {http.StatusNotFound, "there is no such user"},
	mfa.IdentifierNotFound:       {http.StatusNotFound, "no user has this name or address"},
	mfa.SessionNotFound:          {http.StatusNotFound, "there is no such session"},
	mfa.OtherUser:                {http.StatusConflict, "the session is another user's"},
	mfa.DeviceMismatch:           {http.StatusConflict, "the proof comes from another device"},
}

// known are refusals without a code of mfa; their texts are those of the errors.
var known = []struct {
	err    error
	status int
	code   string
}{
	{clients.ErrNotFound, http.StatusNotFound, codeNotFound},
	{clients.ErrChanged, http.StatusConflict, codeConflict},
	{clients.ErrReserved, http.StatusConflict, codeConflict},
	{clients.ErrNoSecret, http.StatusConflict, codeConflict},
	{secret.ErrRotating, http.StatusConflict, codeConflict},
	{secret.ErrNotRotating, http.StatusConflict, codeConflict},
	{apikeys.ErrNotFound, http.StatusNotFound, codeNotFound},
	{apikeys.ErrTaken, http.StatusConflict, codeConflict},
	{apikeys.ErrChanged, http.StatusConflict, codeConflict},
	{apikeys.ErrNotPermitted, http.StatusForbidden, string(mfa.NotAllowed)},
	{apikeys.ErrOperatorOnly, http.StatusForbidden, string(mfa.NotAllowed)},
	{apikeys.ErrCallerEnded, http.StatusForbidden, string(mfa.NotAllowed)},
	{apikeys.ErrTooManyMakers, http.StatusConflict, codeConflict},
	{registration.ErrNoToken, http.StatusNotFound, codeNotFound},
	{invitation.ErrNotFound, http.StatusNotFound, codeNotFound},
	{invitation.ErrActive, http.StatusConflict, string(mfa.IdentifierTaken)},
	{invitation.ErrNoMail, http.StatusConflict, codeConflict},
	{invitation.ErrAccepted, http.StatusConflict, codeConflict},
	{invitation.ErrChanged, http.StatusConflict, codeConflict},
	{messages.ErrNotFound, http.StatusNotFound, codeNotFound},
	{messages.ErrDelivered, http.StatusConflict, codeConflict},
	{messages.ErrDropped, http.StatusConflict, codeConflict},
	{messages.ErrSending, http.StatusConflict, codeConflict},
	{messages.ErrExpired, http.StatusConflict, codeConflict},
	{messages.ErrUnreadable, http.StatusConflict, codeConflict},
	{messages.ErrChanged, http.StatusConflict, codeConflict},
}

// refused finds the refusal in an error; false: the error is unexpected.
func refused(err error) (status int, code, words string, ok bool) {
	if e, r, ok := problem.Lookup(refusals, err); ok {
		return r.status, string(e.Code), e.Text(r.words), true
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return k.status, k.code, k.err.Error(), true
		}
	}
	return 0, "", "", false
}

// Explain returns why an operation was refused, for an operator; false: the error is
// unexpected.
func Explain(err error) (string, bool) {
	_, _, words, ok := refused(err)
	return words, ok
}

// fail writes why a call failed.
func (s *Surface) fail(c *gin.Context, err error) {
	var faults Faults
	if errors.As(err, &faults) {
		Problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Detail: "the body has faults", Faults: faults}.Write(c)
		return
	}
	var stopped *desired.Stopped
	prefix := ""
	if errors.As(err, &stopped) {
		prefix = stopped.Summary() + ": "
	}
	var e *mfa.Error
	status, code, words, ok := refused(err)
	switch {
	case !ok:
		status = problem.Unexpected(c, err)
		code, words = web.ErrorCode(status), "something went wrong in the server; its log has the details"
		if status == http.StatusServiceUnavailable {
			words = "the server cannot reach its database or another dependency; try again later"
		}
	case errors.As(err, &e):
		problem.Refused(c, e)
	default:
		web.Refused(c, mfa.Refusal{Reason: code, Err: err})
	}
	Problem{Status: status, Code: code, Detail: prefix + words}.Write(c)
}

// Refuse writes the engine's refusals as problems: the engine has no other surface.
func (s *Surface) Refuse(c *gin.Context, status int, reason string) bool {
	refuse(c, web.Fault{Status: status, Reason: reason})
	return true
}

// refuse writes why a request does not reach its call.
func refuse(c *gin.Context, f web.Fault) {
	f.Refused(c)
	code := web.ErrorCode(f.Status)
	switch f.Status {
	case http.StatusNotFound:
		code = codeNotFound
	case http.StatusMethodNotAllowed:
		code = codeMethod
	}
	Problem{Status: f.Status, Code: code, Detail: f.Reason}.Write(c)
}
