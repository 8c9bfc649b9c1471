package provider

import (
	"net/http"
	"slices"

	"sallyport/mfa"
	"sallyport/provider/oauth"
)

// Userinfo is the userinfo endpoint (OpenID Connect Core section 5.3). It takes tokens
// that are for us or for the client itself: a resource server that was handed one for
// its own use must not learn by it who the user is.
func (p *Provider) Userinfo(w http.ResponseWriter, r *http.Request, _ mfa.Caller) {
	token, e := oauth.Bearer(r)
	if e != nil {
		p.respond.BearerError(w, r, e)
		return
	}
	if token == "" {
		p.respond.BearerError(w, r, nil)
		return
	}
	claims, e := p.userinfo(r, token)
	if e != nil {
		p.respond.BearerError(w, r, e)
		return
	}
	oauth.WriteJSON(w, http.StatusOK, claims)
}

func (p *Provider) userinfo(r *http.Request, token string) (map[string]any, *oauth.Error) {
	dead := oauth.NewError("invalid_token", "the access token is unknown, expired or revoked")
	t, err := p.readAccess(token)
	if err != nil || t.Grant == "" {
		return nil, dead
	}
	if !p.meant(t) {
		return nil, otherAudience()
	}
	standing, err := p.store.Grant(r.Context(), t.Grant)
	if isNotFound(err) {
		return nil, dead
	}
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if !standing.Alive() {
		return nil, dead
	}
	scopes := oauth.Fields(t.Scope)
	if !slices.Contains(scopes, "openid") {
		return nil, oauth.NewError("insufficient_scope", "the scope openid was not granted")
	}
	c, err := p.clients.Client(r.Context(), t.Client)
	if isNotFound(err) || (err == nil && c.Disabled) {
		return nil, dead
	}
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	return userinfoClaims(standing.Grant, &standing.Account, scopes, c.Scopes), nil
}
