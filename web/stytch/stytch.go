package stytch

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"sallyport/mfa/audit"
	"sallyport/mfa/backend"
	"sallyport/provider/apikeys"
	"sallyport/provider/sessionjwt"
	"sallyport/storage/seal"
	"sallyport/web"
	"sallyport/web/backendcall"
)

// base is the path of all calls. Paths under /v1/auth are Streambird's.
const (
	base       = "/v1/"
	streambird = "/v1/auth"
)

// Options of the surface.
type Options struct {
	Issuer      string
	Environment string // "test" or "live"
	Rate        int    // calls of a project in a second; 0: no limit
}

// Surface mounts the calls.
type Surface struct {
	backend     *backend.Service
	callers     *backendcall.Authenticator
	signer      *sessionjwt.Signer
	rates       rates
	environment string
	now         func() time.Time
	random      io.Reader
	docs        string // address of the description, which has the errors
}

var _ web.Refuser = (*Surface)(nil)

// New returns the surface.
func New(b *backend.Service, k *apikeys.Keys, journal *audit.Journal, keyring *seal.Keyring, now func() time.Time, random io.Reader, o Options) *Surface {
	s := &Surface{backend: b, signer: newSigner(keyring, random, o.Environment), environment: o.Environment,
		rates: rates{most: o.Rate, now: now, projects: map[string]*rate.Limiter{}}, now: now, random: random,
		docs: strings.TrimSuffix(o.Issuer, "/") + described}
	s.callers = backendcall.New(k, journal, apikeys.DialectStytch, func(c *gin.Context, err error) { s.fail(c, err, nil) })
	return s
}

// route is a call. words are the responses to codes that mean something else there.
type route struct {
	verb, path string
	access     string // the verb that the key must have
	serve      func(*call) (any, error)
	words      words
}

// routes are the calls with credentials.
func (s *Surface) routes() []route {
	const post, get, put, del = http.MethodPost, http.MethodGet, http.MethodPut, http.MethodDelete
	const read, write = apikeys.VerbRead, apikeys.VerbWrite
	return []route{
		{post, "/v1/users", write, s.createUser, nil},
		{post, "/v1/users/search", read, s.searchUsers, nil},
		{get, "/v1/users/:user_id", read, s.user, nil},
		{put, "/v1/users/:user_id", write, s.updateUser, nil},
		{del, "/v1/users/:user_id", write, s.deleteUser, nil},
		{del, "/v1/users/emails/:email_id", write, s.deleteEmail, nil},
		{del, "/v1/users/phone_numbers/:phone_id", write, s.deletePhone, nil},
		{del, "/v1/users/totps/:totp_id", write, s.deleteTOTP, ofTOTP},

		{post, "/v1/totps", write, s.createTOTP, nil},
		{post, "/v1/totps/authenticate", write, s.authenticateTOTP, ofTOTPCode},
		{post, "/v1/totps/recovery_codes", write, s.recoveryCodes, nil}, // secrets: not for a key that may only read
		{post, "/v1/totps/recover", write, s.recover, ofRecoveryCode},

		{post, "/v1/otps/sms/send", write, s.send(sms), ofSending(sms)},
		{post, "/v1/otps/sms/login_or_create", write, s.loginOrCreate(sms), ofSending(sms)},
		{post, "/v1/otps/email/send", write, s.send(email), ofSending(email)},
		{post, "/v1/otps/email/login_or_create", write, s.loginOrCreate(email), ofSending(email)},
		{post, "/v1/otps/authenticate", write, s.authenticateOTP, ofOTP},

		{get, "/v1/sessions", read, s.sessions, nil},
		{post, "/v1/sessions/authenticate", write, s.authenticateSession, nil},
		{post, "/v1/sessions/revoke", write, s.revokeSession, nil},
	}
}

// Mount adds the calls to the engine.
func (s *Surface) Mount(r gin.IRouter) {
	for _, at := range s.routes() {
		if at.access == apikeys.VerbRead {
			r.Handle(at.verb, at.path, s.callers.Read(s.handle(at)))
		} else {
			r.Handle(at.verb, at.path, s.callers.Write(s.handle(at)))
		}
	}
	r.GET("/v1/sessions/jwks/:project_id", s.keySet)
}

// handle reads the body of a call, serves it and writes the response.
func (s *Surface) handle(at route) func(*gin.Context, backendcall.Call) {
	return func(c *gin.Context, b backendcall.Call) {
		k, err := &call{Context: c.Request.Context(), c: c, key: b.Key, caller: b.Caller}, s.rates.take(b.Key.Project)
		if err == nil && c.Request.Method != http.MethodGet {
			k.in, err = read(c)
		}
		var body any
		if err == nil {
			body, err = at.serve(k)
		}
		if err != nil {
			s.fail(c, err, at.words)
			return
		}
		c.JSON(http.StatusOK, body)
	}
}

// Refuse writes the engine's refusals of the surface's addresses, also of those that it does
// not have, in its own format.
func (s *Surface) Refuse(c *gin.Context, status int, reason string) bool {
	path := c.Request.URL.Path
	if !strings.HasPrefix(path, base) || path == streambird || strings.HasPrefix(path, streambird+"/") {
		return false
	}
	s.fail(c, engineFault(status, reason), nil)
	return true
}
