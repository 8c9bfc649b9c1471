package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider/backchannel"
	"sallyport/provider/clientauth"
	"sallyport/provider/clientdocument"
	"sallyport/provider/clientkeys"
	"sallyport/provider/clients"
	"sallyport/provider/details"
	"sallyport/provider/dpop"
	"sallyport/provider/fetch"
	"sallyport/provider/grants"
	"sallyport/provider/introspection"
	"sallyport/provider/mtls"
	"sallyport/provider/oauth"
	"sallyport/provider/registration"
	"sallyport/provider/signing"
	"sallyport/provider/token"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Store is the storage that a Provider needs.
type Store interface {
	storage.AuthRequests
	storage.PushedRequests
	storage.PolledRequests
	storage.Steps
	storage.Clients
	storage.Registrations
	storage.Grants
	storage.Keys
	storage.Settling
	// CountAttempt is one of storage.Throttles.
	CountAttempt(ctx context.Context, a storage.Attempt) (storage.Refusal, error)
	// Account and AccountByIdentifier are two of storage.Users, PutMessages is one of storage.Outbox.
	Account(ctx context.Context, id storage.UserID) (storage.Account, error)
	AccountByIdentifier(ctx context.Context, value string, now time.Time) (storage.Account, error)
	PutMessages(ctx context.Context, messages []storage.Message, sends []storage.Throttle, now time.Time) error
}

// Options are the settings of a Provider. A zero duration means the default in the comment.
type Options struct {
	Issuer      string // https://host[:port][/path], no trailing slash
	Environment string // "test" or "live"; opaque tokens are valid in theirs only
	// Lifetimes: 30 min, 60 s, 10 min, 10 min, 30 days idle, 90 days in total.
	RequestTTL, CodeTTL, AccessTokenTTL, IDTokenTTL, RefreshIdleTTL, RefreshTTL time.Duration
	// ACRAliases are additional acr values of clients for the levels.
	ACRAliases map[string]mfa.Level
	SigningAlg string // for clients that registered none; "" is RS256
	// LegacyResponseTypes allows response types with tokens, for clients that registered them.
	LegacyResponseTypes bool
	// MTLS is how clients present certificates; nil: they cannot.
	MTLS *mtls.Settings
	// RequireDPoPNonce demands a nonce of the server in DPoP proofs (RFC 9449 section 8).
	RequireDPoPNonce bool
	// ClientCache bounds the clients kept in memory; 0 is 10,000.
	ClientCache int
	// BuiltIn are clients of the server itself, such as the account page. They are not stored
	// and cannot be changed, and their names are reserved.
	BuiltIn []storage.Client
	// SignUp says whether people can sign up for a client; nil: for none.
	SignUp func(storage.Client) bool
	// Offer lets pages offer a passkey to users who sign in with a password.
	Offer bool
	// Details are the types of authorization details (RFC 9396); nil: none.
	Details *details.Types
	// RequirePushed refuses requests that were not pushed, of every client (RFC 9126 section 5).
	RequirePushed bool
	// Registration is how clients register themselves; the provider completes it.
	Registration registration.Options
	// Documents lets clients that nobody registered describe themselves; nil: they cannot.
	Documents *clientdocument.Options
	// Resources are protected resources that discovery lists (RFC 9728 section 4).
	Resources []string
	// Fetcher reads what clients publish; their request objects are kept apart. nil: from the internet only.
	Fetcher *fetch.Fetcher
	// Throttled, if not nil, is called with the bucket for every client authentication that was
	// refused without comparing the secret.
	Throttled func(bucket string)
	// Admit limits what unauthenticated callers cause the server to write; nil: unlimited.
	Admit  budget.Admit
	Logger *slog.Logger // nil: discard
}

// Provider processes authorization requests.
type Provider struct {
	Grants        *grants.Issuer           // the token endpoint
	Introspection *introspection.Endpoints // the endpoints to which clients present tokens
	ClientAuth    *clientauth.Authenticator
	ClientKeys    *clientkeys.Resolver // verifies what clients sign
	Backchannel   *backchannel.Sender  // tells clients of ended sessions
	Registration  *registration.Service

	store    Store
	keyring  *seal.Keyring
	verifier *exchange.Verifier
	sessions *session.Registry
	journal  *audit.Journal
	now      func() time.Time
	random   io.Reader
	options  Options
	log      *slog.Logger
	clients  *clients.Cache
	codec    *token.Codec
	respond  *oauth.Responder
	proofs   *dpop.Verifier
	keys     *signing.Keys
	objects  *fetch.Fetcher // reads request objects

	started   atomic.Int64 // requests stored
	userinfo  oauth.Document
	discovery atomic.Pointer[oauth.Document]
	polling   sync.Mutex       // one poll at a time
	versions  map[string]int64 // as last read; guarded by polling
}

// New returns a Provider. Keys that are loaded later are published by Poll.
func New(store Store, keyring *seal.Keyring, verifier *exchange.Verifier, sessions *session.Registry, journal *audit.Journal,
	now func() time.Time, random io.Reader, o Options) (*Provider, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	if o.Fetcher == nil {
		o.Fetcher = fetch.New(now, fetch.Options{})
	}
	p := &Provider{store: store, keyring: keyring, verifier: verifier, sessions: sessions, journal: journal,
		now: now, random: random, options: o, log: o.Logger, keys: signing.New(signing.Form{}, random)}
	p.clients = clients.NewCache(store, o.ClientCache, o.BuiltIn...)
	if o.Documents != nil {
		p.clients.With(clientdocument.New(o.Fetcher, now, *o.Documents))
	}
	if err := p.publish(); err != nil {
		return nil, err
	}
	userinfo, err := p.describeUserinfo()
	if err != nil {
		return nil, err
	}
	p.userinfo = userinfo
	p.ClientKeys, p.objects = clientkeys.New(o.Fetcher, now), o.Fetcher.Apart()
	p.codec = token.NewCodec(o.Issuer, o.Environment, o.SigningAlg, keyring, p.keys, p.ClientKeys, now)
	p.Backchannel = backchannel.New(p.clients, p.codec, o.Fetcher, now)
	respond := &oauth.Responder{Issuer: o.Issuer, ProofAlgs: dpop.Algorithms()}
	p.respond = respond
	p.ClientAuth = clientauth.New(p.clients, store, keyring, journal, now, clientauth.Options{Issuer: o.Issuer, Keys: p.ClientKeys, MTLS: o.MTLS, Throttled: o.Throttled, Admit: o.Admit, Logger: o.Logger})
	p.proofs = dpop.New(store, keyring, now, dpop.Options{Bases: o.MTLS.Bases(o.Issuer), RequireNonce: o.RequireDPoPNonce})
	p.Introspection = introspection.New(o.Issuer, store, p.clients, p.ClientAuth, p.proofs, p.codec, verifier, sessions, journal, respond, now)
	p.Registration = p.newRegistration()
	p.Grants = grants.New(store, p.clients, p.ClientAuth, p.proofs, p.Introspection, p.codec, journal, respond, now, random, grants.Options{Issuer: o.Issuer, Details: o.Details, CodeTTL: o.CodeTTL,
		AccessTokenTTL: o.AccessTokenTTL, IDTokenTTL: o.IDTokenTTL, RefreshIdleTTL: o.RefreshIdleTTL, RefreshTTL: o.RefreshTTL, Used: p.Registration.Used})
	return p, nil
}

// Started returns how many logins without a usable session began since the server started.
// They are counted rather than written, because their callers are unauthenticated.
func (p *Provider) Started() int64 { return p.started.Load() }

// complete sets the defaults and refuses invalid options.
func (o *Options) complete() error {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil || strings.HasSuffix(o.Issuer, "/") || strings.ContainsAny(o.Issuer, "?#") {
		return fmt.Errorf("issuer %q is not https://host without a trailing slash", o.Issuer)
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.RequestTTL, 30 * time.Minute}, {&o.CodeTTL, time.Minute}, {&o.AccessTokenTTL, 10 * time.Minute},
		{&o.IDTokenTTL, 10 * time.Minute}, {&o.RefreshIdleTTL, 30 * 24 * time.Hour}, {&o.RefreshTTL, 90 * 24 * time.Hour},
	} {
		if *d.field < 0 {
			return errors.New("a lifetime is negative")
		}
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.SigningAlg == "" {
		o.SigningAlg = "RS256"
	}
	if !slices.Contains(signing.Algorithms(), o.SigningAlg) {
		return fmt.Errorf("signing algorithm %q is not RS256, PS256, ES256 or EdDSA", o.SigningAlg)
	}
	for name, level := range o.ACRAliases {
		if rank(level) == 0 || strings.ContainsAny(name, " \t\r\n\"\\") || name == "" {
			return fmt.Errorf("acr alias %q names no level", name)
		}
	}
	if o.ClientCache <= 0 {
		o.ClientCache = 10000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// url returns the URL of an endpoint. It comes from the configuration, never from a Host header.
func (p *Provider) url(path string) string { return p.options.Issuer + path }
