package provider

import (
	"context"

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

// Client returns a client from memory or storage. The value is shared: callers must not
// change what it points to.
func (p *Provider) Client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	c, err := p.clients.Client(ctx, id)
	if err != nil {
		return storage.Client{}, err
	}
	return c.Client, nil
}
