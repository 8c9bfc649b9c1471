package cidaas

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/provider"
	"sallyport/storage"
	"sallyport/web"
)

// expectationFailed is the status of everything that is well-formed and refused.
const expectationFailed = http.StatusExpectationFailed

// refusal is how one reason is told.
type refusal struct {
	status int
	number int    // error.code
	ver    string // code of the verification actions; "": none fits
	page   string // error parameter of a login page
	text   string // stable; nothing of the request is ever in it
}

// refusals maps every reason. A request that is somebody else's is told like one that
// does not exist, and a usage that is not allowed like a method nobody set up.
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
	mfa.NotSignedIn:              {http.StatusUnauthorized, 10015, "", "login_required", accessDenied},
	mfa.ReauthenticationRequired: {expectationFailed, 10016, "", "login_required", "a fresh authentication is required"},
	mfa.PasswordTooShort:         {expectationFailed, 10017, "", "invalid_request", "password too short"},
	mfa.PasswordTooLong:          {expectationFailed, 10018, "", "invalid_request", "password too long"},
	mfa.PasswordTooCommon:        {expectationFailed, 10019, "", "invalid_request", "password too common"},
	mfa.PasswordBreached:         {expectationFailed, 10025, "", "invalid_request", "password breached"},
	mfa.PasswordUnchecked:        {http.StatusServiceUnavailable, 10026, "", "temporarily_unavailable", "temporarily unavailable"},
	mfa.IdentifierTaken:          {http.StatusConflict, 10020, "", "invalid_request", "identifier already taken"},
	mfa.InvalidIdentifier:        {http.StatusBadRequest, 10021, "VER_0004", "invalid_request", "invalid identifier"},
	mfa.UserNotFound:             {expectationFailed, 10022, "", "invalid_request", "user not found"},
}

// broken is what anything unexpected is told as; unavailable what may pass.
var (
	broken      = refusal{http.StatusInternalServerError, 10500, "", "server_error", "internal server error"}
	unavailable = refusal{http.StatusServiceUnavailable, 10503, "", "temporarily_unavailable", "temporarily unavailable"}
)

// Waits that are told where the reason itself names none.
const (
	lockedWait     = time.Hour
	initiatedWait  = 30 * time.Minute // as long as a request lives
	unexpectedWait = 5 * time.Second
)

// accessDenied is the one text of a missing or dead access token.
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

// succeed writes data in the envelope of a good answer.
func succeed(c *gin.Context, data any) {
	c.JSON(http.StatusOK, struct {
		Success bool `json:"success"`
		Status  int  `json:"status"`
		Data    any  `json:"data"`
	}{true, http.StatusOK, data})
}

// describe finds the words for an error, logs it under a reference number, and tells
// how long to wait where waiting helps.
func (s *Surface) describe(c *gin.Context, err error) (refusal, string) {
	var e *mfa.Error
	reference := storage.Random128(s.random)
	level, r, known := slog.LevelInfo, refusal{}, false
	if errors.As(err, &e) {
		r, known = refusals[e.Code]
		r.text = e.Text(r.text)
	}
	switch {
	case known:
		if wait := waitOf(e); wait > 0 {
			// RFC 9110 section 10.2.3 counts whole seconds; rounded up, or the next try comes too early.
			c.Header("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		}
	case web.Unavailable(err):
		level, r = slog.LevelError, unavailable
		c.Header("Retry-After", strconv.Itoa(int(unexpectedWait/time.Second)))
	default:
		level, r = slog.LevelError, broken
	}
	s.log.LogAttrs(c.Request.Context(), level, "refused", slog.String("reference", reference), slog.Any("cause", err),
		slog.String("route", c.FullPath()), slog.String("correlation_id", web.Correlation(c)))
	return r, reference
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

// failAs is fail where the address gives the reason another verification code.
func (s *Surface) failAs(c *gin.Context, err error, ver string) {
	r, reference := s.describe(c, err)
	r.ver = ver
	s.envelope(c, r, reference, "")
}

// refuse writes a refusal that has no reason in mfa: a malformed call.
func (s *Surface) refuse(c *gin.Context, f *fault, ver string) {
	reference := storage.Random128(s.random)
	s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "refused", slog.String("reference", reference), slog.String("cause", f.text),
		slog.String("route", c.FullPath()), slog.String("correlation_id", web.Correlation(c)))
	s.envelope(c, refusal{status: f.status, number: 10000, ver: ver, text: f.text}, reference, "")
}

// notOpened writes why no login was begun, in OAuth's words.
func (s *Surface) notOpened(c *gin.Context, e *provider.PageError) {
	info := e.Description
	if e.Parameter != "" && !strings.Contains(info, e.Parameter) {
		info = e.Parameter + ": " + info
	}
	reference := storage.Random128(s.random)
	// The name of the parameter was chosen by the caller; it is answered, not logged (L-1).
	s.log.LogAttrs(c.Request.Context(), slog.LevelInfo, "refused", slog.String("reference", reference), slog.String("cause", e.Code+": "+e.Description),
		slog.String("route", c.FullPath()), slog.String("correlation_id", web.Correlation(c)))
	s.envelope(c, refusal{status: http.StatusBadRequest, number: 10023, text: e.Code}, reference, info)
}

func (s *Surface) envelope(c *gin.Context, r refusal, reference, info string) {
	b := faultBody{Status: r.status, Error: faultInner{Code: r.number, MoreInfo: info, Type: kindOf(c.Request.URL.Path),
		Status: r.status, Reference: reference, Error: r.text}}
	if strings.HasPrefix(c.Request.URL.Path, "/verification-actions-srv/") {
		b.Code = r.ver
	}
	c.JSON(r.status, b)
}

// denied is the answer to a missing or dead access token.
func (s *Surface) denied(c *gin.Context, reference string) {
	c.Header("WWW-Authenticate", "Bearer")
	c.JSON(http.StatusUnauthorized, struct {
		Error     string `json:"error"`
		Reference string `json:"refnumber"`
	}{accessDenied, reference})
}

// kindOf names the service an address belongs to.
func kindOf(path string) string {
	for prefix, kind := range map[string]string{"/login-srv/": "LoginException", "/authz-srv/": "AuthzException",
		"/public-srv/": "PublicException", "/token-srv/": "TokenException", "/users-srv/": "UserException"} {
		if strings.HasPrefix(path, prefix) {
			return kind
		}
	}
	return "VerificationException"
}
