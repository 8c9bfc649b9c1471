package provider

import (
	"context"
	"net/url"

	"sallyport/provider/clients"
	"sallyport/storage"
)

// leaving returns who a call to sign out speaks for, and the client it was given to;
// nil where nothing proves it. Beside the ID token of the standard there is what
// applications of cidaas hold: a living access token. It opens things, so it is read
// from the body only, where no log keeps it (RFC 6750 section 5.3), and one that was
// made for a resource server does not speak for who leaves.
func (p *Provider) leaving(ctx context.Context, values, body url.Values) (*hint, *clients.Client, error) {
	if token := values.Get("id_token_hint"); token != "" {
		return p.logoutHint(ctx, token, values.Get("client_id"))
	}
	t, err := p.readAccess(body.Get("access_token_hint"))
	if err != nil || t.Grant == "" || !p.own(t) || (values.Get("client_id") != "" && values.Get("client_id") != string(t.Client)) {
		return nil, nil, nil
	}
	_, alive, err := p.counts(ctx, t)
	if err != nil || !alive {
		return nil, nil, err
	}
	c, err := p.clients.Client(ctx, t.Client)
	if isNotFound(err) || (err == nil && c.Disabled) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return &hint{Subject: storage.UserID(t.Subject), Session: t.Session, Issuer: t.Issuer, Audience: audience{string(t.Client)}}, c, nil
}
