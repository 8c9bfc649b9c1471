package streambird

import (
	"cmp"
	_ "embed" // for the description
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa/audit"
	"sallyport/mfa/backend"
	"sallyport/provider/apikeys"
	"sallyport/provider/sessionjwt"
	"sallyport/web"
	"sallyport/web/backendcall"
)

const (
	base     = "/v1/auth" // of all calls
	keysPath = "/jwks/default"
)

//go:embed openapi.yaml
var description []byte

// OpenAPI returns the description of the calls.
func OpenAPI() []byte { return description }

// Options of the surface.
type Options struct {
	Issuer string
	// JWTLife is how long a session JWT is valid at most; 0: 24 hours. None outlives its session.
	JWTLife time.Duration
}

// Surface mounts the calls.
type Surface struct {
	backend *backend.Service
	callers *backendcall.Authenticator
	jwts    *sessionjwt.Signer
	now     func() time.Time
	host    string // of the issuer
	life    time.Duration
}

var _ web.Refuser = (*Surface)(nil)

// New returns the surface.
func New(b *backend.Service, k *apikeys.Keys, j *sessionjwt.Signer, journal *audit.Journal, now func() time.Time, o Options) *Surface {
	s := &Surface{backend: b, jwts: j, now: now, life: cmp.Or(o.JWTLife, longestJWT)}
	if u, err := url.Parse(o.Issuer); err == nil {
		s.host = u.Host
	}
	s.callers = backendcall.New(k, journal, apikeys.DialectStreambird, func(c *gin.Context, err error) { s.fail(c, route{}, err) })
	return s
}

// call is one call: the request and the backend that sent it.
type call struct {
	*gin.Context
	backendcall.Call
}

// route is one call of the dialect. Its function returns the body of the response.
type route struct {
	method, path string
	verb         string  // what the API key must allow
	wrong        refusal // of a wrong response; zero: the call takes none
	serve        func(k call) (any, error)
}

func (s *Surface) routes() []route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	const read, write = apikeys.VerbRead, apikeys.VerbWrite
	return []route{
		{post, "/users/create", write, refusal{}, s.createUser},
		{get, "/users/:id", read, refusal{}, s.user},
		{put, "/users/:id/update", write, refusal{}, s.updateUser},
		{post, "/users/:id/update", write, refusal{}, s.updateUser},
		{put, "/users/auth/users/:id/update", write, refusal{}, s.updateUser}, // where the Node library sends it
		{del, "/users/:id/delete", write, refusal{}, s.deleteUser},
		{del, "/users/emails/:id/delete", write, refusal{}, s.deleteEmail},
		{del, "/users/phone_numbers/:id/delete", write, refusal{}, s.deletePhone},
		{del, "/users/totps/:id/delete", write, refusal{}, s.deleteTOTP},
		{post, "/users/search", read, refusal{}, s.search},
		{post, "/totps/create", write, refusal{}, s.createTOTP},
		{post, "/totps/verify", write, invalidTOTP, s.verifyTOTP},
		{post, "/totps/recovery_codes", write, refusal{}, s.recoveryCodes},
		{post, "/totps/recovery", write, invalidRecoveryCode, s.recover},
		{post, "/otps/sms/send", write, refusal{}, s.sendSMS},
		{post, "/otps/sms/login_or_create", write, refusal{}, s.createBySMS},
		{post, "/otps/email/send", write, refusal{}, s.sendEmail},
		{post, "/otps/email/login_or_create", write, refusal{}, s.createByEmail},
		{post, "/otps/verify", write, invalidOTP, s.verifyOTP},
		{post, "/sessions/verify", write, refusal{}, s.verifySession},
		{get, "/sessions/list", read, refusal{}, s.sessions},
		{del, "/sessions/delete", write, refusal{}, s.deleteSession},
		{get, keysPath, read, refusal{}, s.keySet},
	}
}

// Mount adds the calls to the engine.
func (s *Surface) Mount(r gin.IRouter) {
	for _, x := range s.routes() {
		serve := func(c *gin.Context, b backendcall.Call) { s.respond(call{c, b}, x) }
		switch {
		case x.path == keysPath:
			r.Handle(x.method, base+x.path, s.callers.ReadByQuery(serve))
		case x.verb == apikeys.VerbRead:
			r.Handle(x.method, base+x.path, s.callers.Read(serve))
		default:
			r.Handle(x.method, base+x.path, s.callers.Write(serve))
		}
	}
}

// respond writes the result of a call.
func (s *Surface) respond(k call, x route) {
	body, err := x.serve(k)
	if err != nil {
		s.fail(k.Context, x, err)
		return
	}
	write(k.Context, http.StatusOK, body)
}

// write writes a body. Its media type has no parameters.
func write(c *gin.Context, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("streambird: cannot be marshalled: " + err.Error()) // texts, numbers and lists of them
	}
	c.Data(status, "application/json", text)
	c.Abort()
}

// Refuse writes the engine's refusals of the surface's addresses.
func (s *Surface) Refuse(c *gin.Context, status int, reason string) bool {
	if rest, ours := strings.CutPrefix(c.Request.URL.Path, base); !ours || rest != "" && rest[0] != '/' {
		return false
	}
	refuse(c, refusalOf(status, reason))
	return true
}
