package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"sallyport/provider/oauth"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
)

// grantTypes are the grants of the token endpoint.
var grantTypes = [...]string{"authorization_code", "refresh_token", "client_credentials"}

// newFosite puts fosite together by hand. Every setting whose getter would fill in a
// default on first use is set here: those getters write without a lock.
func (p *Provider) newFosite() *fosite.Fosite {
	store := &fositeStore{p: p}
	access, refresh, code := &accessStrategy{p}, &refreshStrategy{p}, &codeStrategy{p}
	o := p.options
	config := &fosite.Config{
		AccessTokenLifespan: o.AccessTokenTTL, RefreshTokenLifespan: o.RefreshIdleTTL, AuthorizeCodeLifespan: o.CodeTTL,
		IDTokenLifespan: o.IDTokenTTL, IDTokenIssuer: o.Issuer, AccessTokenIssuer: o.Issuer, TokenURL: p.url("/token"),
		ScopeStrategy: fosite.ExactScopeStrategy, AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
		AllowedPromptValues:    []string{"login", "none", "consent", "select_account"},
		RefreshTokenScopes:     []string{}, // ours to decide, see refreshable
		OmitRedirectScopeParam: true,
		// 8 would refuse short values of state and nonce; below 1 means 8 again.
		MinParameterEntropy: 1,
		TokenEntropy:        32,
		// Kept out of reach: PKCE is pkceGuard's, so fosite's switches would do nothing.
		EnforcePKCE: false, EnablePKCEPlainChallengeMethod: false,
		SendDebugMessagesToClients: false, UseLegacyErrorFormat: false,
		SanitationWhiteList:          []string{"redirect_uri"},
		ClientAuthenticationStrategy: p.authenticate,
		ClientSecretsHasher:          noHasher{},
		// Redirect addresses were compared with registered ones, letter by letter.
		RedirectSecureChecker: func(context.Context, *url.URL) bool { return true },
	}
	explicit := &oauth2.AuthorizeExplicitGrantHandler{AccessTokenStrategy: access, RefreshTokenStrategy: refresh,
		AuthorizeCodeStrategy: code, CoreStorage: store, TokenRevocationStorage: store, Config: config}
	helper := &openid.IDTokenHandleHelper{IDTokenStrategy: &idTokenStrategy{p}}
	oidc := &openid.OpenIDConnectExplicitHandler{OpenIDConnectRequestStorage: store, Config: config, IDTokenHandleHelper: helper,
		OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(nil, config)}
	config.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{explicit, oidc}
	config.TokenEndpointHandlers = fosite.TokenEndpointHandlers{
		explicit,
		&pkceGuard{store}, // after the code is known, before anything is made
		&oauth2.RefreshTokenGrantHandler{AccessTokenStrategy: access, RefreshTokenStrategy: refresh,
			TokenRevocationStorage: store, Config: config},
		&oauth2.ClientCredentialsGrantHandler{Config: config,
			HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: access, AccessTokenStorage: store, Config: config}},
		oidc, // after the access token, whose hash goes into the ID token
		&openid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: helper, Config: config},
	}
	return fosite.NewOAuth2Provider(store, config)
}

// checkWithFosite lets fosite judge what it judges well: response type, response mode,
// scopes, and once more the redirect address.
func (p *Provider) checkWithFosite(ctx context.Context, r *request, values url.Values) *oauth.Error {
	if _, err := p.authorizeRequest(ctx, r); err != nil {
		return oauth.ErrorOf(err)
	}
	return nil
}

// authorizeRequest hands a request to fosite. It sees only what it has to judge: what
// is about the login (prompt, max_age, hints) is judged by mfa.Require against the
// server's clock, which fosite would do against its own. A missing state, which fosite
// never accepts, is stood in for; our answers do not use fosite's copy of it.
func (p *Provider) authorizeRequest(ctx context.Context, r *request) (fosite.AuthorizeRequester, error) {
	form := url.Values{"state": {"stand-in"}}
	for _, name := range []string{"response_type", "client_id", "redirect_uri", "scope", "response_mode", "nonce"} {
		if v, ok := r.params[name]; ok {
			form[name] = v
		}
	}
	if r.front.used() {
		form.Set("response_type", "code") // what comes beside it was judged by checkFront
	}
	if r.state != "" {
		form.Set("state", r.state)
	}
	return p.fosite.NewAuthorizeRequest(ctx, &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{},
		Form: form, PostForm: url.Values{}})
}

// noHasher stands where fosite would otherwise put bcrypt on first use. It is never
// called: clients authenticate with authenticate. fosite's key fetcher and HTTP client
// stay unset: only clients with keys of their own reach for them, and our client type
// has no such methods, so that no address out of a request is ever fetched (O-12).
type noHasher struct{}

var errUnused = errors.New("provider: not in use")

func (noHasher) Compare(context.Context, []byte, []byte) error { return errUnused }
func (noHasher) Hash(context.Context, []byte) ([]byte, error)  { return nil, errUnused }
