package introspection

import (
	"time"

	"sallyport/mfa/audit"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider/clientauth"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Endpoints are the endpoints to which clients present tokens.
type Endpoints struct {
	issuer   string
	store    storage.Grants
	clients  *clients.Cache
	auth     *clientauth.Authenticator
	codec    *token.Codec
	verifier *exchange.Verifier
	sessions *session.Registry
	journal  *audit.Journal
	respond  *oauth.Responder
	now      func() time.Time
}

// New returns the Endpoints of an issuer.
func New(issuer string, s storage.Grants, c *clients.Cache, auth *clientauth.Authenticator, codec *token.Codec, verifier *exchange.Verifier,
	sessions *session.Registry, journal *audit.Journal, respond *oauth.Responder, now func() time.Time) *Endpoints {
	return &Endpoints{issuer: issuer, store: s, clients: c, auth: auth, codec: codec, verifier: verifier, sessions: sessions,
		journal: journal, respond: respond, now: now}
}
