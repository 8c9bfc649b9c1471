package provider

import (
	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider/details"
	"sallyport/storage"
)

// Begun is an open authorization request, or its response.
type Begun struct {
	Request storage.RequestID // "" with Answer or Finished
	Step    Step              // the first of Request
	// Answer is an error for the client.
	Answer *Answer
	// Finished: the session satisfied the request, and only the grant was stored.
	Finished *Finished
}

// Ask is a call of Next: which login, and by which caller.
type Ask struct {
	// Request is the ID of the authorization request, or of a detached login.
	Request storage.RequestID
	// Track identifies a login and proves that the caller is its owner.
	Track storage.TrackID
	// Sub proves the same for the login at Request: it is the masked subject that was returned to
	// the owner. One that does not match proves nothing, and is no error.
	Sub        string
	Identifier string // as entered; "": none. Ignored once a user is identified
	// Credential is that of the authenticator which a response names (storage.Authenticator), given
	// instead of Identifier; nil: none. It proves nothing.
	Credential []byte
	// Named is an authenticator, given instead of Identifier; zero: none.
	Named exchange.Choice
	// MayBeSealed: the caller shows the page for the first factor, or proves that factor through
	// WithProof. Any other caller has a sealed request stored.
	MayBeSealed bool
	// MayBeProven, with MayBeSealed: the request is read even without a name, because a factor may
	// have been proven in it.
	MayBeProven bool
	// Lists: the response will list the methods of the identifier. The login stores the
	// identifier and allows few of them.
	Lists bool
	// MayOffer: the caller is a page of this server that can offer the user another way to sign in.
	MayOffer bool
	Visit    mfa.Caller
	SignedIn *session.SignedIn
	// Program: the caller is a script or program, not a form of this server with a CSRF token.
	// Its Origin must be one of the client or this server, whether it sends a cookie or not.
	Program bool
}

// StepKind is the kind of a step.
type StepKind string

// The steps of a login, in this order. Most logins need only some.
const (
	StepIdentify StepKind = "identify" // a first factor is missing
	StepVerify   StepKind = "verify"   // one of Options is missing
	StepEnroll   StepKind = "enroll"   // the policy requires a factor that the user does not have
	StepOffer    StepKind = "offer"    // only with Ask.MayOffer: the user may set up Offer, or not
	StepRecovery StepKind = "recovery" // the user has not seen new recovery codes yet
	StepConsent  StepKind = "consent"  // the user has not consented to Scopes yet
	StepDone     StepKind = "done"     // Finish creates the code
	StepRefused  StepKind = "refused"  // Finish returns Refusal to the client
	StepOver     StepKind = "over"     // completed or cancelled before
)

// Step is the next step of a login, with everything that a page needs.
type Step struct {
	Kind    StepKind
	Request storage.AuthRequest
	// Owned: the caller is the owner of the login. For other callers the step is that of a new
	// login, and stored factors do not count.
	Owned bool
	// InBrowser: the owner is the browser that the login is bound to.
	InBrowser bool
	// Account is the subject or, before that is known, the user of the identifier; nil: none.
	Account *storage.Account
	Client  storage.Client
	Login   exchange.Login // for the calls of exchange.Verifier
	Verdict mfa.Verdict
	Options []exchange.Option
	Scopes  []string // to consent to
	// Resources are where the client will use what the user allows, as they are registered for it.
	Resources []string
	// Polled is the request that the login ends, in its last steps: its client polls for it, and whoever
	// began it may be elsewhere. nil: it is another login.
	Polled *storage.PolledRequest
	// Before is what the user decided earlier about what the request asks for.
	Before    storage.Consent
	Offer     string // the method offered
	LoginHint string
	UILocales []string
	Refusal   string // OAuth error code
	Reason    string // why, for the developers of the client; "": the code says it
	// Described: nobody registered the client. Its client_id is the address of what describes it.
	Described bool
	// Unvetted: nobody here has looked at the client, whether it is described or registered itself.
	Unvetted bool
	// Destination is where the response goes.
	Destination Destination
	ClientHome  string // where "back to the application" leads; "": none
	LoginPage   string // the client's own login page with the request ID; "": that of this server

	request *request
	ask     Ask
	types   *details.Types            // of the server
	allowed []string                  // scopes to grant; nil: all
	device  *storage.RememberedDevice // the browser is remembered as; nil: not read, or none
}

// Again returns the call of Next after a factor was proved. A factor of a caller who is not the
// owner began a detached login.
func (st Step) Again() Ask {
	a := st.ask
	a.Identifier, a.Credential, a.Named, a.Lists = "", nil, exchange.Choice{}, false
	if n := st.Login.Detached; n != nil {
		a.Request, a.Track, a.Sub = n.Login.ID, n.Track, ""
	}
	return a
}

// creates reports whether people can sign up for a client.
func (p *Provider) creates(c storage.Client) bool {
	return p.options.SignUp != nil && p.options.SignUp(c)
}

// Creates reports whether the client sent the user to sign up (prompt=create).
func (st Step) Creates() bool { return st.request != nil && st.request.create }

// offers reports whether users of a client are offered a passkey after a password.
func (p *Provider) offers(c storage.Client) bool {
	if c.PasskeyOffer != nil {
		return *c.PasskeyOffer
	}
	return p.options.Offer
}
