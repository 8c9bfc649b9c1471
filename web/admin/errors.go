package admin

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/provider/desired"
	"sallyport/web"
)

// Problem is every refusal (RFC 9457). Code says what happened; Detail says it to an
// operator, as the commands print it.
type Problem struct {
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail,omitempty"`
	Parameter string `json:"parameter,omitempty"` // the offending one of the query
	Faults    Faults `json:"faults,omitempty"`    // of the body
	Support   string `json:"support_id"`          // names this answer in the log
}

// Fault is one thing wrong with a body.
type Fault struct {
	Line   int    `json:"line,omitempty"`  // in a desired state
	Field  string `json:"field,omitempty"` // "": the whole
	Detail string `json:"detail"`
}

// Faults is everything wrong with a body, as an error.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = strings.TrimPrefix(x.Field+": "+x.Detail, ": ")
	}
	return strings.Join(lines, "\n")
}

// Codes besides those of mfa.
const (
	codeUnauthorized = "unauthorized"
	codeNotFound     = "not_found"
	codeMethod       = "method_not_allowed"
	codeConflict     = "conflict"
	codeBroken       = "server_error"
	codeUnavailable  = "temporarily_unavailable"
)

type refusal struct {
	status int
	words  string
}

// refusals are mfa's codes in an operator's words. Many belong to logins, which nobody
// does here; they have their words all the same, so that none can come without.
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           {http.StatusBadRequest, "cannot be read"},
	mfa.UnknownRequest:           {http.StatusNotFound, "there is no such login"},
	mfa.RequestOver:              {http.StatusGone, "the login is over"},
	mfa.RequestChanged:           {http.StatusConflict, "somebody else changed it meanwhile"},
	mfa.NotAllowed:               {http.StatusForbidden, "this is not allowed"},
	mfa.InvalidCredentials:       {http.StatusUnprocessableEntity, "name or password is wrong"},
	mfa.InvalidPasscode:          {http.StatusUnprocessableEntity, "the code is wrong"},
	mfa.Replayed:                 {http.StatusUnprocessableEntity, "the code was used before"},
	mfa.InvalidExchange:          {http.StatusConflict, "the try is over"},
	mfa.NotConfigured:            {http.StatusConflict, "there is no such method"},
	mfa.TooMany:                  {http.StatusTooManyRequests, "too many failures; wait"},
	mfa.Locked:                   {http.StatusForbidden, "the factor is locked"},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, "too many tries were begun"},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, "too much comes from one address"},
	mfa.Busy:                     {http.StatusServiceUnavailable, "the machine is busy hashing passwords; try again"},
	mfa.EnrollmentExpired:        {http.StatusConflict, "the enrolment is over"},
	mfa.AlreadyEnrolled:          {http.StatusConflict, "there is one of its kind already"},
	mfa.NotSignedIn:              {http.StatusNotFound, "there is no such session, or it is over"},
	mfa.ReauthenticationRequired: {http.StatusForbidden, "the proofs are too old or too weak"},
	mfa.PasswordTooShort:         {http.StatusUnprocessableEntity, "the password has fewer than {{.Least}} characters"},
	mfa.PasswordTooLong:          {http.StatusUnprocessableEntity, "the password has more than 1024 bytes"},
	mfa.PasswordTooCommon:        {http.StatusUnprocessableEntity, "the password is a common one, or a name of the user, the product or the issuer, perhaps with something around it"},
	mfa.PasswordBreached:         {http.StatusUnprocessableEntity, "the password is in the file of breached ones (passwords.breached_file): it was stolen elsewhere, and is among the first that are tried"},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, "the file of breached passwords (passwords.breached_file) cannot be searched, so no new password is taken; the log of the server says why"},
	mfa.IdentifierTaken:          {http.StatusConflict, "another user has that name or ID"},
	mfa.InvalidIdentifier:        {http.StatusUnprocessableEntity, "is no e-mail address, phone number or user name"},
	mfa.UserNotFound:             {http.StatusNotFound, "there is no such user"},
}

// known are provider's refusals, which have words of their own.
var known = []struct {
	err    error
	status int
	code   string
}{
	{provider.ErrNoClient, http.StatusNotFound, codeNotFound},
	{provider.ErrClientChanged, http.StatusConflict, codeConflict},
	{provider.ErrReserved, http.StatusConflict, codeConflict},
	{provider.ErrNoSecret, http.StatusConflict, codeConflict},
	{provider.ErrRotating, http.StatusConflict, codeConflict},
	{provider.ErrNotRotating, http.StatusConflict, codeConflict},
	{provider.ErrNoAPIKey, http.StatusNotFound, codeNotFound},
	{provider.ErrAPIKeyTaken, http.StatusConflict, codeConflict},
	{provider.ErrAPIKeyChanged, http.StatusConflict, codeConflict},
	{provider.ErrForeignAPIKey, http.StatusForbidden, string(mfa.NotAllowed)},
	{provider.ErrDisabledStays, http.StatusForbidden, string(mfa.NotAllowed)},
	{provider.ErrCallerEnded, http.StatusForbidden, string(mfa.NotAllowed)},
	{provider.ErrTooManyMakers, http.StatusConflict, codeConflict},
}

// refused finds the refusal in an error from below; false: it is a fault of ours.
func refused(err error) (status int, code, words string, ok bool) {
	var e *mfa.Error
	if errors.As(err, &e) {
		if r, ok := refusals[e.Code]; ok {
			return r.status, string(e.Code), e.Text(r.words), true
		}
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return k.status, k.code, k.err.Error(), true
		}
	}
	return 0, "", "", false
}

// Explain says in an operator's words why something was refused; false: it was not, and
// the error is a fault of ours.
func Explain(err error) (string, bool) {
	_, _, words, ok := refused(err)
	return words, ok
}

// problem writes a refusal.
func (s *Surface) problem(c *gin.Context, p Problem) {
	p.Title, p.Support = http.StatusText(p.Status), web.Correlation(c)
	text, err := json.Marshal(p)
	if err != nil {
		panic("admin: a problem that is no JSON: " + err.Error()) // text and numbers always are
	}
	c.Data(p.Status, "application/problem+json", text)
	c.Abort()
}

// fail answers an error from below. What was not expected tells nothing but the number
// under which it stands in the log (H-11).
func (s *Surface) fail(c *gin.Context, err error) {
	var faults Faults
	if errors.As(err, &faults) {
		s.problem(c, Problem{Status: http.StatusBadRequest, Code: string(mfa.InvalidRequest), Detail: "the body has faults", Faults: faults})
		return
	}
	var stopped *desired.Stopped
	prefix := ""
	if errors.As(err, &stopped) {
		prefix = stopped.Summary() + ": "
	}
	status, code, words, ok := refused(err)
	if !ok {
		s.broken(c, err, prefix)
		return
	}
	var e *mfa.Error
	errors.As(err, &e)
	if e != nil && e.Ours() {
		s.log.LogAttrs(c.Request.Context(), slog.LevelError, "request", slog.Any("error", err), slog.String("route", c.FullPath()),
			slog.String("correlation_id", web.Correlation(c)))
	} else {
		s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "refused", slog.String("reason", code),
			slog.String("route", c.FullPath()), slog.String("correlation_id", web.Correlation(c)))
	}
	if e != nil && e.RetryAfter > 0 {
		// RFC 9110 section 10.2.3 counts whole seconds; rounded up, or the next try comes too early.
		c.Header("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	s.problem(c, Problem{Status: status, Code: code, Detail: prefix + words})
}

func (s *Surface) broken(c *gin.Context, err error, prefix string) {
	s.log.LogAttrs(c.Request.Context(), slog.LevelError, "request", slog.Any("error", err), slog.String("route", c.FullPath()),
		slog.String("correlation_id", web.Correlation(c)))
	if web.Unavailable(err) {
		c.Header("Retry-After", "5")
		s.problem(c, Problem{Status: http.StatusServiceUnavailable, Code: codeUnavailable, Detail: prefix + "something the server needs is out of reach; try again later"})
		return
	}
	s.problem(c, Problem{Status: http.StatusInternalServerError, Code: codeBroken, Detail: prefix + "something went wrong in the server; its log says what"})
}

// Refuse writes the engine's refusals as problems: every address of its engine is ours.
func (s *Surface) Refuse(c *gin.Context, status int, reason string) bool {
	code := string(mfa.InvalidRequest)
	switch {
	case status == http.StatusNotFound:
		code = codeNotFound
	case status == http.StatusMethodNotAllowed:
		code = codeMethod
	case status == http.StatusServiceUnavailable:
		code = codeUnavailable
	case status >= http.StatusInternalServerError:
		code = codeBroken
	}
	s.problem(c, Problem{Status: status, Code: code, Detail: reason})
	return true
}
