package grants

import (
	"context"

	"github.com/ory/fosite"

	"sallyport/provider/oauth"
	"sallyport/provider/pkce"
)

// pkceGuard replaces the PKCE handler of fosite, which deletes the challenge before it
// compares. Here the grant contains the challenge: a wrong verifier changes
// nothing, and the code cannot be redeemed without the right one.
type pkceGuard struct{ store *store }

var _ fosite.TokenEndpointHandler = (*pkceGuard)(nil)

func (g *pkceGuard) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	form := r.GetRequestForm()
	code, err := g.store.code(ctx, form.Get("code"))
	if err != nil {
		return err
	}
	if !pkce.Verify(code.Grant.CodeChallenge, form.Get("code_verifier")) {
		return oauth.NewError("invalid_grant", "code_verifier does not match the code_challenge").Because(oauth.WrongVerifier).About("code_verifier")
	}
	return nil
}

func (g *pkceGuard) PopulateTokenEndpointResponse(context.Context, fosite.AccessRequester, fosite.AccessResponder) error {
	return nil
}

func (g *pkceGuard) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

func (g *pkceGuard) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne("authorization_code")
}
