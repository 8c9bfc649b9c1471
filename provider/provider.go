package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/exchange"
	"sallyport/mfa/session"
	"sallyport/provider/clients"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Store is the part of storage this room needs.
type Store interface {
	storage.AuthRequests
	storage.Steps
	storage.Clients
	storage.Grants
	storage.Keys
	// CountAttempt is one of storage.Throttles.
	CountAttempt(ctx context.Context, a storage.Attempt) (storage.Refusal, error)
}

// Options are the settings of a Provider. Zero durations mean the defaults of the
// comments.
type Options struct {
	Issuer      string // https://host[:port][/path], no trailing slash
	Environment string // "test" or "live"; sealed into opaque tokens, so that one's never count in the other
	// Lifetimes: 30 min, 60 s, 10 min, 10 min, 30 days idle, 90 days in all.
	RequestTTL, CodeTTL, AccessTokenTTL, IDTokenTTL, RefreshIdleTTL, RefreshTTL time.Duration
	// ACRAliases are further names of the levels, as clients write them in acr_values.
	ACRAliases map[string]mfa.Level
	SigningAlg string // for clients that register none; "" is RS256
	// LegacyResponseTypes admits response types that end in a token, for clients that list them.
	LegacyResponseTypes bool
	// ClientCache bounds the clients kept in memory; 0 is 10,000.
	ClientCache int
	// BuiltIn are clients of our own, such as the account page: they are in no database,
	// and nobody can change them or take their names.
	BuiltIn []storage.Client
	// Throttled, if not nil, is called for every try of a client that was refused without
	// being compared, with the bucket whose wait it was.
	Throttled func(bucket string)
	// Admit bounds what callers make the server write who have proven nothing; nil: not bounded.
	Admit  budget.Admit
	Logger *slog.Logger // nil: nothing is logged
}

// Provider answers authorization requests and issues tokens.
type Provider struct {
	store    Store
	keyring  *seal.Keyring
	verifier *exchange.Verifier
	sessions *session.Registry
	journal  *audit.Journal
	now      func() time.Time
	random   io.Reader
	options  Options
	log      *slog.Logger
	fosite   *fosite.Fosite
	clients  *clients.Cache
	keys     *keyset

	suspects       suspects
	clientFailures atomic.Int64

	started   atomic.Int64 // requests stored
	discovery atomic.Pointer[Document]
	polling   sync.Mutex       // one poll at a time
	versions  map[string]int64 // as last seen; guarded by polling
}

// New makes a Provider over a keyring that is loaded already.
func New(store Store, keyring *seal.Keyring, verifier *exchange.Verifier, sessions *session.Registry, journal *audit.Journal,
	now func() time.Time, random io.Reader, o Options) (*Provider, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	p := &Provider{suspects: newSuspects(), store: store, keyring: keyring, verifier: verifier, sessions: sessions, journal: journal,
		now: now, random: random, options: o, log: o.Logger}
	p.clients = clients.NewCache(store, o.ClientCache, o.BuiltIn...)
	p.keys = &keyset{}
	if err := p.publish(); err != nil {
		return nil, err
	}
	p.fosite = p.newFosite()
	return p, nil
}

// Started returns how many logins were begun since the server started and could not be
// answered out of a session. Whoever begins one has proven nothing, so it is counted and
// not written down.
func (p *Provider) Started() int64 { return p.started.Load() }

// complete fills the defaults in and refuses what cannot work.
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
	if _, ok := algorithm(o.SigningAlg); !ok {
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

// url returns the address of one of our own endpoints. Addresses come from the
// configuration only, never from a Host header.
func (p *Provider) url(path string) string { return p.options.Issuer + path }
