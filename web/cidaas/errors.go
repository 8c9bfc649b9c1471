package cidaas

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
	"sallyport/web/problem"
	"sallyport/web/signin"
)

// expectationFailed is the status of most well-formed calls that are refused.
const expectationFailed = http.StatusExpectationFailed

// refusal is the response to one code.
type refusal struct {
	status int
	number int    // error.code
	ver    string // code of the verification actions; "": there is none
	page   string // error parameter of a login page
	text   string // stable; it never holds anything of the request
}

// refusals maps every code to its response. The request of another user looks like one
// that does not exist, a usage that is not allowed like a method that is not set up.
var refusals = map[mfa.Code]refusal{
	mfa.InvalidRequest:           {http.StatusBadRequest, 10000, "VER_0004", "invalid_request", "invalid request"},
	mfa.UnknownRequest:           {http.StatusBadRequest, 10002, "VER_0025", "invalid_request", "invalid requestId"},
	mfa.RequestOver:              {http.StatusBadRequest, 10003, "VER_0025", "invalid_request", "requestId already used"},
	mfa.RequestChanged:           {expectationFailed, 10004, "VER_0025", "invalid_request", "the login has moved on"},
	mfa.NotAllowed:               {http.StatusBadRequest, 10002, "VER_0025", "invalid_request", "invalid requestId"},
	mfa.InvalidCredentials:       {expectationFailed, 10005, "VER_0041", "invalid_username_password", "invalid username or password"},
	mfa.InvalidPasscode:          {expectationFailed, 10001, "VER_0041", "invalid_verification", "invalid pass_code"},
	mfa.Replayed:                 {expectationFailed, 10006, "VER_0041", "invalid_verification", "already used pass_code"},
	mfa.InvalidExchange:          {expectationFailed, 10007, "VER_0032", "invalid_verification", "invalid exchange_id"},
	mfa.NotConfigured:            {expectationFailed, 10008, "VER_0028", "invalid_verification", "verification type not configured"},
	mfa.TooMany:                  {http.StatusTooManyRequests, 10009, "", "too_many_attempts", "too many attempts"},
	mfa.Locked:                   {http.StatusTooManyRequests, 10010, "", "too_many_attempts", "verification type locked"},
	mfa.TooManyInitiations:       {http.StatusTooManyRequests, 10011, "", "too_many_attempts", "too many initiations"},
	mfa.TooManyRequests:          {http.StatusTooManyRequests, 10024, "", "too_many_attempts", "too many requests"},
	mfa.Busy:                     {http.StatusServiceUnavailable, 10012, "", "temporarily_unavailable", "temporarily unavailable"},
	mfa.EnrollmentExpired:        {expectationFailed, 10013, "VER_0033", "invalid_verification", "expired exchange_id"},
	mfa.AlreadyEnrolled:          {http.StatusConflict, 10014, "VER_0029", "invalid_verification", "verification type already configured"},
	mfa.LastWay:                  {http.StatusConflict, 10040, "", "invalid_request", "last way to sign in"},
	mfa.EnrollmentCodeRequired:   {expectationFailed, 10050, "", "login_required", "an enrollment_code is required"},
	mfa.NotSignedIn:              {http.StatusUnauthorized, 10015, "", "login_required", accessDenied},
	mfa.ReauthenticationRequired: {expectationFailed, 10016, "", "login_required", "a fresh authentication is required"},
	mfa.PasswordTooShort:         {expectationFailed, 10017, "", "invalid_request", "password too short"},
	mfa.PasswordTooLong:          {expectationFailed, 10018, "", "invalid_request", "password too long"},
	mfa.PasswordTooCommon:        {expectationFailed, 10019, "", "invalid_request", "password too common"},
	mfa.PasswordBreached:         {expectationFailed, 10025, "", "invalid_request", "password breached"},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, 10026, "", "temporarily_unavailable", "temporarily unavailable"},
	mfa.IdentifierTaken:          {http.StatusConflict, 10020, "", "invalid_request", "identifier already taken"},
	mfa.InvalidIdentifier:        {http.StatusBadRequest, 10021, "VER_0004", "invalid_request", "invalid identifier"},
	mfa.PasscodeExpired:          {expectationFailed, 10027, "VER_0041", "invalid_verification", "expired pass_code"},
	mfa.TooManyMessages:          {http.StatusTooManyRequests, 10028, "", "too_many_attempts", "too many messages"},
	mfa.TermsRequired:            {expectationFailed, 10051, "", "invalid_request", "terms of use not accepted"},
	mfa.AddressNotAllowed:        {expectationFailed, 10029, "VER_0028", "invalid_verification", "verification type not available for this number"},
	mfa.UserNotFound:             {expectationFailed, 10022, "", "invalid_request", "user not found"},
	mfa.IdentifierNotFound:       {expectationFailed, 10030, "", "invalid_request", "identifier not found"},
	mfa.SessionNotFound:          {expectationFailed, 10031, "", "invalid_request", "session not found"},
	mfa.OtherUser:                {expectationFailed, 10032, "", "invalid_request", "session of another user"},
	mfa.DeviceMismatch:           {expectationFailed, 10033, "", "invalid_request", "another device"},
}

// unchallenged is the response to an attempt in a request that was opened without code_challenge.
var unchallenged = refusal{http.StatusBadRequest, 10034, "VER_0025", "invalid_request", "code_challenge required"}

// broken is the response to an unexpected error, unavailable to one that may pass.
var (
	broken      = refusal{http.StatusInternalServerError, 10500, "", "server_error", "internal server error"}
	unavailable = refusal{http.StatusServiceUnavailable, 10503, "", "temporarily_unavailable", "temporarily unavailable"}
)

// Waits for errors that name none.
const (
	lockedWait    = time.Hour
	initiatedWait = 30 * time.Minute // the lifetime of a request
)

// accessDenied is the text for a missing or invalid access token.
const accessDenied = "Access denied for this resource"

// faultBody is the envelope of a refusal.
type faultBody struct {
	Success bool       `json:"success"`
	Status  int        `json:"status"`
	Code    string     `json:"code,omitempty"`
	Error   faultInner `json:"error"`
}

type faultInner struct {
	Code      int    `json:"code"`
	MoreInfo  string `json:"moreInfo"`
	Type      string `json:"type"`
	Status    int    `json:"status"`
	Reference string `json:"referenceNumber"`
	Error     any    `json:"error"`
}

// succeed writes data in the envelope of a successful response.
func succeed(c *gin.Context, data any) {
	c.JSON(http.StatusOK, struct {
		Success bool `json:"success"`
		Status  int  `json:"status"`
		Data    any  `json:"data"`
	}{true, http.StatusOK, data})
}

// reference logs a refusal and returns the reference number of the log line.
func (s *Surface) reference(c *gin.Context, r mfa.Refusal) string {
	r.Reference = storage.Random128(s.random)
	web.Refused(c, r)
	return r.Reference
}

// describe logs an error and returns what to respond, with the reference number. It sets
// Retry-After if waiting helps.
func (s *Surface) describe(c *gin.Context, err error) (refusal, string) {
	e, r, known := problem.Lookup(refusals, err)
	if known {
		r.text = e.Text(r.text)
		web.RetryAfter(c, waitOf(e))
		return r, s.reference(c, mfa.Refusal{Reason: string(e.Code), Err: err, Operator: e.NeedsOperator()})
	}
	r = broken
	if web.FailureStatus(c, err) == unavailable.status {
		r = unavailable
	}
	return r, s.reference(c, mfa.Refusal{Reason: web.FailureCode(r.status), Err: err, Operator: true})
}

func waitOf(e *mfa.Error) time.Duration {
	switch {
	case e.RetryAfter > 0:
		return e.RetryAfter
	case e.Code == mfa.Locked:
		return lockedWait
	case e.Code == mfa.TooManyInitiations:
		return initiatedWait
	}
	return 0
}

// fail writes a refusal of a JSON call.
func (s *Surface) fail(c *gin.Context, err error) {
	r, reference := s.describe(c, err)
	if r.status == http.StatusUnauthorized {
		s.denied(c, reference)
		return
	}
	s.envelope(c, r, reference, "")
}

// kinds are the methods that a server has only if it can send messages.
var kinds = map[string]storage.IdentifierKind{"EMAIL": storage.Email, "SMS": storage.Phone}

// noMethod refuses the method in the address, which the server does not have, and says which
// setting turns it on if one does.
func (s *Surface) noMethod(c *gin.Context) {
	r, reference := s.describe(c, &mfa.Error{Code: mfa.NotConfigured})
	r.ver = "VER_0030"
	info, name := "", c.Param("method")
	if s.method(name) == "" {
		info = problem.SwitchedOff(kinds[strings.ToUpper(name)])
	}
	s.envelope(c, r, reference, info)
}

// refuse refuses a malformed call.
func (s *Surface) refuse(c *gin.Context, f web.Fault, ver string) {
	f.Refused(c)
	s.envelope(c, refusal{status: f.Status, number: 10000, ver: ver, text: f.Reason}, s.reference(c, mfa.Refusal{}), "")
}

// badRequest refuses a parameter, with a text of its own.
func (s *Surface) badRequest(c *gin.Context, parameter, text, ver string) {
	web.Refused(c, mfa.Refusal{Reason: string(mfa.InvalidRequest), Parameter: parameter})
	s.refuse(c, web.Fault{Status: http.StatusBadRequest, Reason: text}, ver)
}

// notOpened writes why a login was refused before it began, with OAuth's error code.
func (s *Surface) notOpened(c *gin.Context, e *provider.PageError) {
	info := e.Description
	if e.Parameter != "" && !strings.Contains(info, e.Parameter) {
		info = e.Parameter + ": " + info
	}
	s.envelope(c, refusal{status: http.StatusBadRequest, number: 10023, text: e.Code}, s.reference(c, mfa.Refusal{}), info)
}

// challenged reports whether a request may end in a code; if not, it refuses the call.
func (s *Surface) challenged(c *gin.Context, call signin.Call) bool {
	if call.Step.Reason == "" {
		return true
	}
	s.envelope(c, unchallenged, s.reference(c, mfa.Refusal{Reason: string(mfa.InvalidRequest), Client: call.Step.Client.ID, Parameter: "code_challenge", Err: errors.New(call.Step.Reason)}), call.Step.Reason)
	return false
}

func (s *Surface) envelope(c *gin.Context, r refusal, reference, info string) {
	b := faultBody{Status: r.status, Error: faultInner{Code: r.number, MoreInfo: info, Type: kindOf(c.Request.URL.Path),
		Status: r.status, Reference: reference, Error: r.text}}
	if strings.HasPrefix(c.Request.URL.Path, "/verification-actions-srv/") {
		b.Code = r.ver
	}
	c.JSON(r.status, b)
}

// denied responds to a missing or invalid access token.
func (s *Surface) denied(c *gin.Context, reference string) {
	c.Header("WWW-Authenticate", "Bearer")
	c.JSON(http.StatusUnauthorized, struct {
		Error     string `json:"error"`
		Reference string `json:"refnumber"`
	}{accessDenied, reference})
}

// kindOf is the error type of the service that an address belongs to.
func kindOf(path string) string {
	for prefix, kind := range map[string]string{"/login-srv/": "LoginException", "/authz-srv/": "AuthzException",
		"/public-srv/": "PublicException", "/token-srv/": "TokenException", "/users-srv/": "UserException"} {
		if strings.HasPrefix(path, prefix) {
			return kind
		}
	}
	return "VerificationException"
}
