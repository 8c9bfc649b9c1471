package provider

import (
	"net/http"
	"slices"
	"strings"

	"sallyport/mfa"
)

// Userinfo is the userinfo endpoint (OpenID Connect Core section 5.3). It takes tokens
// that are for us or for the client itself: a resource server that was handed one for
// its own use must not learn by it who the user is.
func (p *Provider) Userinfo(w http.ResponseWriter, r *http.Request, _ mfa.Caller) {
	token, e := bearer(r)
	if e != nil {
		p.writeBearerError(w, r, e)
		return
	}
	if token == "" {
		p.writeBearerError(w, r, nil)
		return
	}
	claims, e := p.userinfo(r, token)
	if e != nil {
		p.writeBearerError(w, r, e)
		return
	}
	writeJSON(w, http.StatusOK, claims)
}

func (p *Provider) userinfo(r *http.Request, token string) (map[string]any, *oauthError) {
	dead := refusal("invalid_token", "the access token is unknown, expired or revoked")
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
		return nil, unavailable(err)
	}
	if !standing.Alive() {
		return nil, dead
	}
	scopes := fields(t.Scope)
	if !slices.Contains(scopes, "openid") {
		return nil, refusal("insufficient_scope", "the scope openid was not granted")
	}
	c, err := p.clients.Client(r.Context(), t.Client)
	if isNotFound(err) || (err == nil && c.Disabled) {
		return nil, dead
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return userinfoClaims(standing.Grant, &standing.Account, scopes, c.Scopes), nil
}

// writeBearerError writes a refusal of a protected resource (RFC 6750 section 3). A
// caller who sent no token hears no error code (section 3.1).
func (p *Provider) writeBearerError(w http.ResponseWriter, r *http.Request, e *oauthError) {
	challenge := []string{`Bearer realm="` + p.options.Issuer + `"`}
	if e == nil {
		w.Header().Set("WWW-Authenticate", challenge[0])
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if e.status < http.StatusInternalServerError {
		challenge = append(challenge, `error="`+e.code+`"`, `error_description="`+legal(e.description)+`"`)
		if e.code == "insufficient_scope" {
			challenge = append(challenge, `scope="openid"`)
		}
		w.Header().Set("WWW-Authenticate", strings.Join(challenge, ", "))
	}
	p.writeError(w, r, e)
}
