package admin

import (
	_ "embed" // for the description
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/invitation"
	"sallyport/mfa/messages"
	"sallyport/mfa/session"
	"sallyport/mfa/users"
	"sallyport/mfa/waits"
	"sallyport/provider/apikeys"
	"sallyport/provider/clients"
	"sallyport/provider/desired"
	"sallyport/provider/registration"
	"sallyport/storage/seal"
	"sallyport/web"
)

// Base is the path of all calls; an incompatible change will get a new version.
const Base = "/admin/v1"

// Timeout is how long one call may take: a desired state may hold thousands of passwords,
// which are hashed one after the other.
const Timeout = 10 * time.Minute

// MaxBody is the maximum length of a desired state.
const MaxBody = 4 << 20

// Services are what the surface calls.
type Services struct {
	Users              *users.Registry
	Invitations        *invitation.Registry
	Sessions           *session.Registry
	Messages           *messages.Registry
	Journal            *audit.Journal
	Clients            *clients.Registry
	Waits              *waits.Registry
	RegistrationTokens *registration.Tokens
	APIKeys            *apikeys.Keys
	Keyring            *seal.Keyring
	Records            desired.Records
}

// Options of the surface.
type Options struct {
	Issuer string // identifies the server
	Key    Key    // allows every call
}

// Surface mounts the calls.
type Surface struct {
	Services
	o     Options
	now   func() time.Time
	wrong *keyLimiter
}

var _ web.Refuser = (*Surface)(nil)

//go:embed openapi.yaml
var description []byte

// New returns the surface.
func New(services Services, now func() time.Time, o Options) *Surface {
	return &Surface{Services: services, o: o, now: now, wrong: newKeyLimiter(now)}
}

// route is one call.
type route struct {
	method, path string
	query        []string // known parameters
	serve        func(c *gin.Context, v mfa.Caller)
}

func (s *Surface) routes() []route {
	return []route{
		{"GET", "/users", []string{"search", "after", "limit", "name", "subject", "client"}, s.listUsers},
		{"POST", "/users", nil, s.createUser},
		{"GET", "/users/:user", nil, s.showUser},
		{"PATCH", "/users/:user", nil, s.amendUser},
		{"DELETE", "/users/:user", nil, s.ofUser("deleted", s.Users.Delete)},
		{"POST", "/users/:user/disable", nil, s.ofUser("disabled", s.Users.Disable)},
		{"POST", "/users/:user/enable", nil, s.ofUser("enabled", s.Users.Enable)},
		{"POST", "/users/:user/unlock", nil, s.ofUser("unlocked", s.Users.Unlock)},
		{"POST", "/users/:user/reset-counters", nil, s.changesUser(s.resetCounters)},
		{"POST", "/users/:user/reset-factors", nil, s.changesUser(s.resetFactors)},
		{"POST", "/users/:user/password", nil, s.setPassword},
		{"POST", "/users/:user/sign-out", []string{"offline"}, s.signOut},
		{"GET", "/users/:user/sessions", nil, s.listSessions},
		{"GET", "/users/:user/remembered-devices", nil, s.listRemembered},
		{"DELETE", "/users/:user/remembered-devices", []string{"device"}, s.forget},
		{"DELETE", "/retired-usernames", []string{"name"}, s.freeUsername},
		{"DELETE", "/sessions/:session", []string{"offline"}, s.endSession},
		{"GET", "/invitations", []string{"state", "user", "before", "limit"}, s.listInvitations},
		{"POST", "/invitations", nil, s.createInvitation},
		{"GET", "/invitations/:invitation", nil, s.showInvitation},
		{"DELETE", "/invitations/:invitation", nil, s.revokeInvitation},
		{"POST", "/invitations/:invitation/resend", nil, s.resendInvitation},
		{"GET", "/clients", nil, s.listClients},
		{"GET", "/clients/:client", nil, s.showClient},
		{"PUT", "/clients/:client", nil, s.putClient},
		{"DELETE", "/clients/:client", nil, s.deleteClient},
		{"POST", "/clients/:client/secrets", nil, s.addClientSecret},
		{"DELETE", "/clients/:client/secrets/old", nil, s.dropClientSecret},
		{"GET", "/registration-tokens", nil, s.listRegistrationTokens},
		{"POST", "/registration-tokens", nil, s.createRegistrationToken},
		{"DELETE", "/registration-tokens/:token", nil, s.revokeRegistrationToken},
		{"GET", "/api-keys", []string{"name"}, s.listAPIKeys},
		{"POST", "/api-keys", nil, s.createAPIKey},
		{"GET", "/api-keys/:key", nil, s.showAPIKey},
		{"DELETE", "/api-keys/:key", nil, s.ofAPIKey("deleted", s.APIKeys.Delete)},
		{"POST", "/api-keys/:key/disable", nil, s.ofAPIKey("disabled", s.APIKeys.Disable)},
		{"POST", "/api-keys/:key/enable", nil, s.ofAPIKey("enabled", s.APIKeys.Enable)},
		{"POST", "/api-keys/:key/secrets", nil, s.addAPIKeySecret},
		{"DELETE", "/api-keys/:key/secrets/old", nil, s.ofAPIKey("only the newest secret is good", s.APIKeys.FinishRotation)},
		{"DELETE", "/api-keys/:key/secrets/new", nil, s.ofAPIKey("only the old secret is good", s.APIKeys.WithdrawSecret)},
		{"GET", "/messages", []string{"state", "kind", "recipient", "before", "limit"}, s.listMessages},
		{"GET", "/messages/:message", nil, s.showMessage},
		{"POST", "/messages/:message/resend", nil, s.ofMessage("due now", s.Messages.Resend)},
		{"POST", "/messages/:message/drop", nil, s.ofMessage("dropped", s.Messages.Drop)},
		{"GET", "/waits", []string{"user", "name", "address", "client"}, s.listWaits},
		{"DELETE", "/waits", []string{"user", "name", "address", "client"}, s.liftWaits},
		{"GET", "/events", []string{"user", "client", "kind", "support", "login", "since", "until", "before", "limit"}, s.listEvents},
		{"GET", "/keys", nil, s.listKeys},
		{"POST", "/state", []string{"dry_run", "prune", "replace_credentials"}, s.applyState},
	}
}

// Mount adds the calls to an engine without other surfaces.
func (s *Surface) Mount(r gin.IRouter) {
	for _, x := range s.routes() {
		r.Handle(x.method, Base+x.path, func(c *gin.Context) {
			v, ok := s.caller(c)
			if ok && s.knownQuery(c, x.query) && s.settled(c) {
				x.serve(c, v)
			}
		})
	}
	// These two require no key: the description is public, and a caller must be able to
	// check the server before sending it a key.
	r.GET(Base+"/openapi.yaml", func(c *gin.Context) { c.Data(http.StatusOK, "application/yaml", description) })
	r.GET(Base+"/server", s.identify)
}

// settled reports whether everything that a change may find, and say is done or gone, would survive a
// failover: a try before it may have made a commit that no standby has. Otherwise it refuses the call.
func (s *Surface) settled(c *gin.Context) bool {
	if c.Request.Method == http.MethodGet {
		return true
	}
	if err := s.Records.Store.Settle(c.Request.Context()); err != nil {
		s.fail(c, err)
		return false
	}
	return true
}
