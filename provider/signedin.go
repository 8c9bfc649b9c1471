package provider

import (
	"context"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Bearer returns whose access token it is and what stands behind it: the proofs are
// those of the session it was given in, as long as that lives; a token that outlived
// its session proves nothing recent. *mfa.Error NotSignedIn says that the token does
// not count, or speaks for no user.
func (p *Provider) Bearer(ctx context.Context, token string) (mfa.Owner, error) {
	dead := &mfa.Error{Code: mfa.NotSignedIn}
	t, err := p.readAccess(token)
	if err != nil || t.Grant == "" {
		return mfa.Owner{}, dead
	}
	standing, err := p.store.Grant(ctx, t.Grant)
	if isNotFound(err) {
		return mfa.Owner{}, dead
	}
	if err != nil {
		return mfa.Owner{}, fmt.Errorf("read grant: %w", err)
	}
	if !standing.Alive() {
		return mfa.Owner{}, dead
	}
	o, err := p.sessions.Behind(ctx, standing.Grant.Authorization.SessionID, storage.UserID(t.Subject))
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
	o.Client = t.Client
	return *o, nil
}
