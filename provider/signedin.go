package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// Bearer returns who may look after their account by an access token, and what stands
// behind it: the proofs are those the token was given for, as long as its session
// lives; a token that outlived its session proves nothing recent.
//
// Most tokens may not do this. Whoever is handed one, as a resource server is, could
// take the account over by it. So the client must have been given the right, and the
// token must be for nobody but the client itself or us (RFC 9068 section 4). *mfa.Error
// NotSignedIn says that the token does not count, may not, or speaks for no user.
func (p *Provider) Bearer(ctx context.Context, token string) (mfa.Owner, error) {
	t, err := p.readAccess(token)
	if err != nil || t.Grant == "" {
		return mfa.Owner{}, notSignedIn("no living access token of a user")
	}
	c, err := p.clients.Client(ctx, t.Client)
	if err != nil && !isNotFound(err) {
		return mfa.Owner{}, err
	}
	switch {
	case err != nil || c.Disabled:
		return mfa.Owner{}, notSignedIn("the client is gone or disabled")
	case !c.ManagesFactors:
		return mfa.Owner{}, notSignedIn("the client does not have manages_factors")
	case !p.own(t):
		return mfa.Owner{}, notSignedIn("the token is for another audience")
	}
	standing, err := p.store.Grant(ctx, t.Grant)
	if err != nil && !isNotFound(err) {
		return mfa.Owner{}, fmt.Errorf("read grant: %w", err)
	}
	if err != nil || !standing.Alive() {
		return mfa.Owner{}, notSignedIn("the grant has ended")
	}
	o, err := p.sessions.ForAuthorization(ctx, standing.Grant.Authorization)
	if err != nil {
		return mfa.Owner{}, err
	}
	if o == nil {
		account, err := p.verifier.Account(ctx, storage.UserID(t.Subject))
		if err != nil {
			return mfa.Owner{}, err
		}
		o = &mfa.Owner{Account: account}
	}
	o.Client, o.Grant = t.Client, t.Grant
	return *o, nil
}

// own reports whether an access token is for nobody but its client or us: no resource
// server was handed it.
func (p *Provider) own(t accessToken) bool {
	return len(t.Audience) == 1 && (t.Audience[0] == string(t.Client) || t.Audience[0] == p.options.Issuer)
}

// meant reports whether an access token is for us or for its own client, among whomever
// else (RFC 9068 section 4). One that is for resource servers alone opens nothing here:
// each of them, and whoever took it from one, could use it in the client's place.
func (p *Provider) meant(t accessToken) bool {
	return slices.Contains(t.Audience, string(t.Client)) || slices.Contains(t.Audience, p.options.Issuer)
}

// otherAudience refuses a token that is for resource servers alone (RFC 6750 section 3.1).
func otherAudience() *oauthError {
	return refusal("invalid_token", "the access token is for another audience")
}

// notSignedIn refuses a token. The reason is for the log: its holder may be anybody.
func notSignedIn(reason string) error {
	return &mfa.Error{Code: mfa.NotSignedIn, Err: errors.New(reason)}
}
