package grants

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"

	"sallyport/provider/clients"
	"sallyport/provider/dpop"
	"sallyport/provider/mtls"
	"sallyport/provider/oauth"
)

// newFosite configures fosite. It sets every setting whose getter would write a default on
// first use: those getters do not lock.
func (i *Issuer) newFosite() *fosite.Fosite {
	s := &store{i}
	access, refresh, code := &accessStrategy{i}, &refreshStrategy{i}, &codeStrategy{}
	o := i.options
	config := &fosite.Config{
		AccessTokenLifespan: o.AccessTokenTTL, RefreshTokenLifespan: o.RefreshIdleTTL, AuthorizeCodeLifespan: o.CodeTTL,
		IDTokenLifespan: o.IDTokenTTL, IDTokenIssuer: o.Issuer, AccessTokenIssuer: o.Issuer, TokenURL: o.Issuer + "/token",
		ScopeStrategy: fosite.ExactScopeStrategy, AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
		RefreshTokenScopes: []string{}, // GetRefreshTokenSession decides
		TokenEntropy:       32,
		// pkceGuard checks PKCE, not fosite.
		EnforcePKCE: false, EnablePKCEPlainChallengeMethod: false,
		SendDebugMessagesToClients: false, UseLegacyErrorFormat: false,
		ClientAuthenticationStrategy: i.authenticate,
		ClientSecretsHasher:          noHasher{},
	}
	explicit := &oauth2.AuthorizeExplicitGrantHandler{AccessTokenStrategy: access, RefreshTokenStrategy: refresh,
		AuthorizeCodeStrategy: code, CoreStorage: s, TokenRevocationStorage: s, Config: config}
	helper := &openid.IDTokenHandleHelper{IDTokenStrategy: &idTokenStrategy{i}}
	oidc := &openid.OpenIDConnectExplicitHandler{OpenIDConnectRequestStorage: s, Config: config, IDTokenHandleHelper: helper}
	return fosite.NewOAuth2Provider(s, &settings{config, map[string]fosite.TokenEndpointHandlers{
		"authorization_code": {
			uncopied{explicit},
			&pkceGuard{s},  // after the code was read, before tokens are created
			idTokens{oidc}, // after the access token, whose hash goes into the ID token
		},
		"refresh_token": {
			uncopied{&oauth2.RefreshTokenGrantHandler{AccessTokenStrategy: access, RefreshTokenStrategy: refresh,
				TokenRevocationStorage: s, Config: config}},
			&openid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: helper, Config: config},
		},
		clients.DeviceCode: {&polledGrant{s, access, refresh, &idTokenStrategy{i}}},
		clients.CIBA:       {&polledGrant{s, access, refresh, &idTokenStrategy{i}}},
		"client_credentials": {
			uncopied{&oauth2.ClientCredentialsGrantHandler{Config: config,
				HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: access, AccessTokenStorage: s, Config: config}}},
		},
	}})
}

// uncopied is a handler that gives the store the request itself: the store keeps none, and needs no
// copy of it without secrets.
type uncopied struct{ fosite.TokenEndpointHandler }

// PopulateTokenEndpointResponse is that of the handler.
func (h uncopied) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, response fosite.AccessResponder) error {
	if access, ok := r.(*fosite.AccessRequest); ok {
		r = whole{access}
	}
	return h.TokenEndpointHandler.PopulateTokenEndpointResponse(ctx, r, response)
}

type whole struct{ *fosite.AccessRequest }

// Sanitize returns the request as it is.
func (r whole) Sanitize([]string) fosite.Requester { return r }

// idTokens adds ID tokens, and leaves the code to the other handlers.
type idTokens struct {
	*openid.OpenIDConnectExplicitHandler
}

// HandleTokenEndpointRequest is that of fosite without its stack trace, which fosite ignores.
func (idTokens) HandleTokenEndpointRequest(context.Context, fosite.AccessRequester) error {
	return fosite.ErrUnknownRequest
}

// settings are those of fosite, with the handlers of each grant type apart: one that is asked
// about another grant type refuses with a stack trace, which fosite ignores.
type settings struct {
	*fosite.Config
	handlers map[string]fosite.TokenEndpointHandlers
}

// GetTokenEndpointHandlers returns the handlers of the grant type of the request.
func (s *settings) GetTokenEndpointHandlers(ctx context.Context) fosite.TokenEndpointHandlers {
	tx, err := current(ctx)
	if err != nil {
		return nil
	}
	return s.handlers[tx.grantType]
}

// authenticate is the ClientAuthenticationStrategy of fosite. It records the client, because
// the code or token that is read next may belong to another.
func (i *Issuer) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	tx, err := current(ctx)
	if err != nil {
		return nil, err
	}
	c, err := i.auth.Authenticate(r, form, tx.caller)
	if err != nil {
		return nil, err
	}
	if c.NeedsProof() && tx.proof == nil {
		return nil, oauth.NewError("invalid_dpop_proof", "the client must send a DPoP proof").Because(oauth.NoProof).About(dpop.Header)
	}
	if c.CertificateBound {
		if err := mtls.Fit(tx.caller.Certificates, i.now()); err != nil {
			return nil, oauth.NewError("invalid_request", "the client must present a certificate: "+err.Error()).Because(mtls.Reason(err))
		}
	}
	tx.client = c.ID
	return c, nil
}

// noHasher prevents fosite from setting bcrypt on first use. It is not called, because
// authenticate replaces the authentication of fosite. The key fetcher and HTTP client of fosite
// are not set: only clients with key sets use them, and clients.Client has no methods for
// those, so no URL from a request is ever fetched (O-12).
type noHasher struct{}

var errUnused = errors.New("grants: not in use")

func (noHasher) Compare(context.Context, []byte, []byte) error { return errUnused }
func (noHasher) Hash(context.Context, []byte) ([]byte, error)  { return nil, errUnused }
