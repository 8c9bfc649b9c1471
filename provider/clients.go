package provider

import (
	"context"

	"sallyport/provider/clients"
	"sallyport/provider/registration"
	"sallyport/storage"
)

// OriginAllowed reports whether an enabled client registered an origin for calls from a
// browser. If storage does not respond, no origin is allowed.
func (p *Provider) OriginAllowed(ctx context.Context, origin string) bool {
	ok, err := p.clients.AllowsOrigin(ctx, origin)
	if err != nil {
		p.log.ErrorContext(ctx, "origins not read", "error", err)
	}
	return ok
}

// Home returns an enabled client and where "back to the application" leads, "" for nowhere; nil
// if there is no such client or storage does not respond. It is for pages outside of a login: the
// address is one that the client registered, whoever names the client.
func (p *Provider) Home(ctx context.Context, id storage.ClientID) (*storage.Client, string) {
	c, err := p.clients.Enabled(ctx, id)
	if err != nil {
		p.log.ErrorContext(ctx, "client not read", "error", err)
	}
	if err != nil || c == nil {
		return nil, ""
	}
	shown := c.ShownAnywhere()
	return &shown, p.homeOf(c, firstRedirect(c))
}

// Algorithms returns the algorithms that the server has signing keys for, in the order of preference.
func (p *Provider) Algorithms() []string { return p.keys.Algorithms() }

// firstRedirect returns the redirect URI of a client where no request names one; "": it has none.
func firstRedirect(c *clients.Client) string {
	if len(c.RedirectURIs) == 0 {
		return ""
	}
	return c.RedirectURIs[0]
}

// newRegistration returns the service for clients that register themselves.
func (p *Provider) newRegistration() *registration.Service {
	o := p.options.Registration
	o.Rules.Algorithms = p.keys.Algorithms
	o.Issuer, o.Fetcher, o.Keys, o.Admit, o.Changed, o.Logger = p.options.Issuer, p.options.Fetcher, p.ClientKeys, p.options.Admit, p.clients.Drop, p.log
	return registration.New(p.store, p.journal, p.respond, p.now, p.random, o)
}

// Shown returns a client as users may see it where no request says where its response goes.
func (p *Provider) Shown(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	c, err := p.clients.Client(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	return c.ShownAnywhere(), nil
}

// Client returns a client from memory or storage. The value is shared: callers must not
// change what it points to.
func (p *Provider) Client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	c, err := p.clients.Client(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	return c.Client, nil
}
