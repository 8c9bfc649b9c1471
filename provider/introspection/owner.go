package introspection

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Owner returns the user who manages their account with an access token. The factors are those
// of the token's session, as long as it is active; without it, the token proves no recent
// factor.
//
// Few tokens may do this: a resource server that receives one could take over the account. So
// the client must have manages_factors, and the token must be for the client or this server
// alone (RFC 9068 section 4). Otherwise the error is *mfa.Error with NotSignedIn.
func (e *Endpoints) Owner(ctx context.Context, presented string) (mfa.Owner, error) {
	t, err := e.codec.ReadAccess(presented)
	if err != nil || t.Grant == "" {
		return mfa.Owner{}, notSignedIn("the token is not an active access token of a user")
	}
	c, err := e.clients.Holder(ctx, t.Client)
	if err != nil {
		return mfa.Owner{}, err
	}
	switch {
	case c == nil:
		return mfa.Owner{}, notSignedIn("the client was deleted or disabled")
	case !c.ManagesFactors:
		return mfa.Owner{}, notSignedIn("the client does not have manages_factors")
	case t.Confirmation != nil:
		return mfa.Owner{}, notSignedIn("the token is bound to a key, and these calls read no proof")
	case !t.OnlyForClient():
		return mfa.Owner{}, notSignedIn("the token is for another audience")
	}
	g, err := e.store.Grant(ctx, t.Grant)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return mfa.Owner{}, fmt.Errorf("read grant: %w", err)
	}
	if err != nil || !g.Alive() {
		return mfa.Owner{}, notSignedIn("the grant has ended")
	}
	o, err := e.sessions.ForAuthorization(ctx, g.Grant.Authorization)
	if err != nil {
		return mfa.Owner{}, err
	}
	if o == nil {
		account, err := e.verifier.Account(ctx, g.Grant.Authorization.UserID)
		if err != nil {
			return mfa.Owner{}, err
		}
		o = &mfa.Owner{Account: account}
	}
	o.Client, o.Grant = t.Client, t.Grant
	return *o, nil
}

// notSignedIn refuses a token. The reason is only logged.
func notSignedIn(reason string) error {
	return &mfa.Error{Code: mfa.NotSignedIn, Err: errors.New(reason)}
}
