package grants

import (
	"context"
	"io"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa/audit"
	"sallyport/provider/clientauth"
	"sallyport/provider/clients"
	"sallyport/provider/details"
	"sallyport/provider/dpop"
	"sallyport/provider/introspection"
	"sallyport/provider/oauth"
	"sallyport/provider/token"
	"sallyport/storage"
)

// Options are the settings of an Issuer.
type Options struct {
	Issuer                                                          string
	Details                                                         *details.Types
	CodeTTL, AccessTokenTTL, IDTokenTTL, RefreshIdleTTL, RefreshTTL time.Duration
}

// Store is the storage that an Issuer needs.
type Store interface {
	storage.Grants
	// Poll is one of storage.PolledRequests.
	Poll(ctx context.Context, p storage.Poll) (storage.Polled, error)
}

// Issuer issues codes and tokens.
type Issuer struct {
	store   Store
	clients *clients.Cache
	auth    *clientauth.Authenticator
	proofs  *dpop.Verifier
	inspect *introspection.Endpoints
	codec   *token.Codec
	journal *audit.Journal
	respond *oauth.Responder
	now     func() time.Time
	random  io.Reader
	options Options
	fosite  *fosite.Fosite
}

// New returns an Issuer.
func New(s Store, c *clients.Cache, auth *clientauth.Authenticator, proofs *dpop.Verifier, inspect *introspection.Endpoints, codec *token.Codec, journal *audit.Journal,
	respond *oauth.Responder, now func() time.Time, random io.Reader, o Options) *Issuer {
	i := &Issuer{store: s, clients: c, auth: auth, proofs: proofs, inspect: inspect, codec: codec, journal: journal, respond: respond, now: now, random: random, options: o}
	i.fosite = i.newFosite()
	return i
}
