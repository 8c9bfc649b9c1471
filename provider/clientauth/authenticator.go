package clientauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/provider/clientkeys"
	"sallyport/provider/clients"
	"sallyport/provider/mtls"
	"sallyport/provider/oauth"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Store is the storage that an Authenticator needs.
type Store interface {
	CountAttempt(ctx context.Context, a storage.Attempt) (storage.Refusal, error)
	Spend(ctx context.Context, s storage.Spend) error
	UseProof(ctx context.Context, id string, until time.Time) error
}

// Options are the settings of an Authenticator.
type Options struct {
	// Throttled, if not nil, is called with the bucket for every attempt that was refused
	// without comparing the secret.
	Throttled func(bucket string)
	Admit     budget.Admit // nil: unlimited
	Issuer    string       // the audience of assertions
	Keys      *clientkeys.Resolver
	MTLS      *mtls.Settings // nil: no client authenticates with a certificate
	Logger    *slog.Logger
}

// Authenticator authenticates clients.
type Authenticator struct {
	clients  *clients.Cache
	store    Store
	keyring  *seal.Keyring
	journal  *audit.Journal
	now      func() time.Time
	options  Options
	recent   recentFailures
	failures atomic.Int64
}

// New returns an Authenticator.
func New(c *clients.Cache, store Store, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time, o Options) *Authenticator {
	return &Authenticator{clients: c, store: store, keyring: keyring, journal: journal, now: now, options: o, recent: newRecentFailures()}
}

// Failures returns how often clients failed to authenticate since the server started. Most
// failures are not in the audit trail.
func (a *Authenticator) Failures() int64 { return a.failures.Load() }

// Authenticate returns the client that sent a request. The error is an *oauth.Error; it is
// the same for an unknown client as for a wrong secret.
func (a *Authenticator) Authenticate(r *http.Request, form url.Values, v mfa.Caller) (*clients.Client, error) {
	sent, e := readCredentials(r, form)
	if e != nil {
		e.Event = mfa.EventClientFailed
		return nil, e
	}
	c, err := a.clients.Described(r.Context(), storage.ClientID(sent.id), func() error { return a.options.Admit.Spend(v, budget.Opens, 1) })
	if e := undescribed(err); e != nil {
		return nil, e
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, oauth.Unavailable(err)
	}
	if c != nil && !c.Disabled && c.AuthenticationMethod() == "none" && sent.method == "none" {
		mfa.Refused(r.Context(), mfa.Refusal{Client: c.ID}) // if it is refused later
		return c, nil                                       // there is no secret to guess
	}
	if c != nil && sent.method == "none" && mtls.IsMethod(c.AuthMethod) {
		sent.method = c.AuthMethod // the request names the client, and the connection proves it
	}
	if c != nil && sent.method == privateKeyJWT && c.AuthMethod == clients.SecretJWT {
		sent.method = clients.SecretJWT // both send an assertion; the client says what it signs with
	}
	t := &attempt{sent: sent, client: c, caller: v, path: r.URL.Path}
	if e := a.verify(r.Context(), t); e != nil {
		return nil, t.explain(e)
	}
	if sent.signs() {
		if e := a.useAssertion(r.Context(), c, t.claims); e != nil {
			a.failures.Add(1)
			return nil, t.explain(e)
		}
	}
	mfa.Refused(r.Context(), mfa.Refusal{Client: c.ID})
	return c, nil
}

// undescribed returns the refusal of a client whose document may be there later, or was not fetched
// because its caller caused too much; nil: err says something else.
func undescribed(err error) *oauth.Error {
	if d, ok := errors.AsType[*clients.DocumentError](err); ok && d.Away {
		return &oauth.Error{Code: "temporarily_unavailable", Description: d.Text, Status: http.StatusServiceUnavailable, RetryAfter: 10 * time.Second, Value: d.Error()}
	}
	if refused, ok := errors.AsType[*mfa.Error](err); ok {
		return oauth.TooMany(refused)
	}
	return nil
}

// WithToken authenticates the client that sent a request about a token, and returns the
// token too. Public clients authenticate by name alone; they may call only if public is set.
func (a *Authenticator) WithToken(r *http.Request, v mfa.Caller, public bool) (*clients.Client, string, *oauth.Error) {
	form, e := oauth.ReadForm(r)
	if e != nil {
		return nil, "", e
	}
	c, err := a.Authenticate(r, form, v)
	if err != nil {
		return nil, "", oauth.ErrorOf(err)
	}
	if !public && c.AuthenticationMethod() == "none" {
		return nil, "", oauth.NewError("invalid_client", "this endpoint is for clients that authenticate").Because(oauth.WrongMethod)
	}
	token := form.Get("token")
	if token == "" {
		return nil, "", oauth.NewError("invalid_request", "token is missing").Because(oauth.NoToken).About("token")
	}
	return c, token, nil
}
