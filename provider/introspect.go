package provider

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// introspection is the answer about a living token (RFC 7662 section 2.2).
type introspection struct {
	Active    bool              `json:"active"`
	Scope     string            `json:"scope,omitempty"`
	ClientID  storage.ClientID  `json:"client_id,omitempty"`
	Subject   string            `json:"sub,omitempty"`
	Audience  audience          `json:"aud,omitempty"`
	Issuer    string            `json:"iss,omitempty"`
	Expires   int64             `json:"exp,omitempty"`
	Issued    int64             `json:"iat,omitempty"`
	NotBefore int64             `json:"nbf,omitempty"`
	ID        string            `json:"jti,omitempty"`
	TokenType string            `json:"token_type,omitempty"`
	Session   storage.SessionID `json:"sid,omitempty"`
	ACR       string            `json:"acr,omitempty"`
	AMR       []string          `json:"amr,omitempty"`
	AuthTime  int64             `json:"auth_time,omitempty"`
	Roles     []string          `json:"roles,omitzero"`
}

// Introspect is the introspection endpoint (RFC 7662). A client sees its own tokens and
// those that were made for it as a resource; everything else is not active, for
// whatever reason.
func (p *Provider) Introspect(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	c, token, e := p.callerWithToken(r, v, false)
	if e != nil {
		p.writeError(w, r, e)
		return
	}
	answer, e := p.introspect(r.Context(), c, token)
	if e != nil {
		p.writeError(w, r, e)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (p *Provider) introspect(ctx context.Context, c *clients.Client, token string) (introspection, *oauthError) {
	if strings.HasPrefix(token, refreshPrefix) {
		return p.introspectRefresh(ctx, c, token)
	}
	t, err := p.readAccess(token)
	if err != nil || (t.Client != c.ID && !slices.Contains(t.Audience, string(c.ID))) {
		return introspection{}, nil
	}
	roles, alive, err := p.counts(ctx, t)
	if err != nil {
		return introspection{}, unavailable(err)
	}
	if !alive {
		return introspection{}, nil
	}
	return introspection{Active: true, Scope: t.Scope, ClientID: t.Client, Subject: t.Subject, Audience: t.Audience, Issuer: t.Issuer,
		Expires: t.Expires, Issued: t.Issued, NotBefore: t.Issued, ID: t.ID, TokenType: "Bearer", Session: t.Session, ACR: t.ACR,
		AMR: t.AMR, AuthTime: t.AuthTime, Roles: roles}, nil
}

// counts reports whether an access token still counts: its client is there (known in
// memory as a rule), and, in one read, its grant lives or, for client credentials,
// nobody revoked it. With it come the roles its user has by now.
func (p *Provider) counts(ctx context.Context, t accessToken) ([]string, bool, error) {
	c, err := p.clients.Client(ctx, t.Client)
	if isNotFound(err) || (err == nil && c.Disabled) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if t.Grant == "" {
		revoked, err := p.store.TokenRevoked(ctx, t.ID)
		return nil, !revoked, err
	}
	standing, err := p.store.Grant(ctx, t.Grant)
	if isNotFound(err) {
		return nil, false, nil
	}
	return accessRoles(c, &standing.Account, t.Scopes), err == nil && standing.Alive(), err
}

// introspectRefresh answers about a refresh token, to its own client only.
func (p *Provider) introspectRefresh(ctx context.Context, c *clients.Client, token string) (introspection, *oauthError) {
	id, generation, ok := p.openRefresh(token)
	if !ok {
		return introspection{}, nil
	}
	standing, err := p.store.Grant(ctx, id)
	if err != nil && !isNotFound(err) {
		return introspection{}, unavailable(err)
	}
	g := standing.Grant
	now := p.now()
	if err != nil || g.Authorization.ClientID != c.ID || !standing.Alive() || !g.Refreshable || generation != g.Generation ||
		!now.Before(g.RefreshUntil) || !now.Before(g.ExpiresAt) {
		return introspection{}, nil
	}
	a := g.Authorization
	return introspection{Active: true, Scope: strings.Join(a.Scopes, " "), ClientID: c.ID, Subject: string(a.UserID),
		Issuer: p.options.Issuer, Expires: earlier(g.RefreshUntil, g.ExpiresAt).Unix(), Issued: g.CreatedAt.Unix(),
		Session: a.SessionID, ACR: a.ACR, AMR: a.AMR, AuthTime: a.AuthTime.Unix()}, nil
}
