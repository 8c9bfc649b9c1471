package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
)

// problem is every answer that is not a step (RFC 9457). Code says what happened: one
// of mfa.Codes(), of /requests an OAuth error code, or one of the two below. The texts
// are for the people who build the application; what a user reads is its own matter.
type problem struct {
	Title     string             `json:"title"`
	Status    int                `json:"status"`
	Code      string             `json:"code"`
	Detail    string             `json:"detail,omitempty"`
	Parameter string             `json:"parameter,omitempty"`   // the offending member
	Exchange  storage.ExchangeID `json:"exchange_id,omitempty"` // goes with the next try
	Support   string             `json:"support_id"`            // names this answer in the log
}

// Codes of failures that are ours (RFC 6749 section 4.1.2.1 has the words).
const (
	codeBroken      = "server_error"
	codeUnavailable = "temporarily_unavailable"
)

type refusal struct {
	status int
	detail string
}

// refusals maps every reason to its HTTP status and to words for a developer.
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

// problem writes a refusal.
func (s *Surface) problem(c *gin.Context, p problem) {
	p.Title, p.Support = http.StatusText(p.Status), web.Correlation(c)
	text, err := json.Marshal(p)
	if err != nil {
		panic("api: a problem that is no JSON: " + err.Error()) // text and numbers always are
	}
	c.Data(p.Status, "application/problem+json", text)
}

// malformed answers a body that lacks something.
func (s *Surface) malformed(c *gin.Context, in *input) {
	s.problem(c, problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Parameter: in.wrong,
		Detail: refusals[mfa.InvalidRequest].detail})
}

// fail answers an error from below; exchange goes with the next try, "" for none. What
// was not expected tells nothing but the number under which it stands in the log (H-11).
func (s *Surface) fail(c *gin.Context, err error, exchange storage.ExchangeID) {
	code := mfa.CodeOf(err)
	r, known := refusals[code]
	if !known {
		s.broken(c, err)
		return
	}
	var e *mfa.Error
	errors.As(err, &e)
	s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "refused", slog.String("reason", string(code)), slog.Any("cause", e.Err),
		slog.String("route", c.FullPath()), slog.String("correlation_id", web.Correlation(c)))
	if e.RetryAfter > 0 {
		// RFC 9110 section 10.2.3 counts whole seconds; rounded up, or the next try comes too early.
		c.Header("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	s.problem(c, problem{Status: r.status, Code: string(code), Detail: e.Text(r.detail), Exchange: exchange})
}

func (s *Surface) broken(c *gin.Context, err error) {
	s.log.LogAttrs(c.Request.Context(), slog.LevelError, "request", slog.Any("error", err), slog.String("route", c.FullPath()),
		slog.String("correlation_id", web.Correlation(c)))
	if web.Unavailable(err) {
		c.Header("Retry-After", "5")
		s.problem(c, problem{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Detail: "Try again later."})
		return
	}
	s.problem(c, problem{Status: http.StatusInternalServerError, Code: codeBroken})
}

// notOpened answers a login that was refused before it began, in OAuth's own words.
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
	s.problem(c, problem{Status: status, Code: e.Code, Detail: e.Description, Parameter: e.Parameter})
}
