package introspection

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"sallyport/mfa"
	"sallyport/provider/claims"
	"sallyport/provider/clients"
	"sallyport/provider/oauth"
	"sallyport/provider/signing"
	"sallyport/provider/token"
	"sallyport/storage"
)

// response is the response for an active token (RFC 7662 section 2.2).
type response struct {
	Active    bool             `json:"active"`
	Scope     string           `json:"scope,omitempty"`
	ClientID  storage.ClientID `json:"client_id,omitempty"`
	Subject   string           `json:"sub,omitempty"`
	Audience  signing.Audience `json:"aud,omitempty"`
	Issuer    string           `json:"iss,omitempty"`
	Expires   int64            `json:"exp,omitempty"`
	Issued    int64            `json:"iat,omitempty"`
	NotBefore int64            `json:"nbf,omitempty"`
	ID        string           `json:"jti,omitempty"`
	TokenType string           `json:"token_type,omitempty"`
	Session   string           `json:"sid,omitempty"`
	ACR       string           `json:"acr,omitempty"`
	AMR       []string         `json:"amr,omitempty"`
	AuthTime  int64            `json:"auth_time,omitempty"`
	Roles     []string         `json:"roles,omitzero"`
	// Confirmation is what the token is bound to, which the resource server checks.
	Confirmation *token.Confirmation `json:"cnf,omitempty"`
	Actor        *token.Actor        `json:"act,omitempty"`
	MayAct       *token.Actor        `json:"may_act,omitempty"`
	Details      json.RawMessage     `json:"authorization_details,omitempty"`
}

// Introspect is the introspection endpoint (RFC 7662, RFC 9701). A token is active only for its own
// client and for the clients in its audience. All of them see the user as the token's client does: a
// resource server that reads a JWT itself sees no other.
func (e *Endpoints) Introspect(w http.ResponseWriter, r *http.Request, caller mfa.Caller) {
	c, presented, fault := e.auth.WithToken(r, caller, false)
	if fault != nil {
		e.respond.Error(w, r, fault)
		return
	}
	out, fault := e.introspect(r.Context(), c, presented)
	if fault != nil {
		e.respond.Error(w, r, fault)
		return
	}
	e.write(w, r, c, out)
}

func (e *Endpoints) introspect(ctx context.Context, c *clients.Client, presented string) (response, *oauth.Error) {
	if token.IsRefresh(presented) {
		return e.introspectRefresh(ctx, c, presented)
	}
	t, err := e.codec.ReadAccess(presented)
	if err != nil || (t.Client != c.ID && !slices.Contains(t.Audience, string(c.ID))) {
		return response{}, nil
	}
	roles, active, err := e.Active(ctx, t)
	if err != nil {
		return response{}, oauth.Unavailable(err)
	}
	if !active {
		return response{}, nil
	}
	return response{Active: true, Scope: t.Scope, ClientID: t.Client, Subject: t.Subject, Audience: t.Audience, Issuer: t.Issuer,
		Expires: t.Expires, Issued: t.Issued, NotBefore: t.Issued, ID: t.ID, TokenType: t.Type(), Confirmation: t.Confirmation, Session: t.Session, ACR: t.ACR,
		AMR: t.AMR, AuthTime: t.AuthTime, Roles: roles, Actor: t.Actor, MayAct: t.MayAct, Details: t.Details}, nil
}

// Active reports whether an access token is active: its client is enabled, its grant is active
// or, for client credentials, it was not revoked. One that was exchanged must not be revoked, nor what it was
// exchanged for. It returns the current roles of the user too, if the token has roles.
func (e *Endpoints) Active(ctx context.Context, t token.Access) ([]string, bool, error) {
	c, err := e.clients.Holder(ctx, t.Client)
	if c == nil {
		return nil, false, err
	}
	grant := t.Grant
	if grant == "" {
		if standing, err := e.stands(ctx, t); !standing || t.SubjectGrant == "" {
			return nil, standing, err
		}
		grant = t.SubjectGrant
	}
	g, err := e.store.GrantState(ctx, grant)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, false, nil
	}
	var roles []string
	if t.Roles != nil {
		roles = claims.Roles(c, &g.Account, t.Scopes)
	}
	return roles, err == nil && g.Alive(), err
}

// stands reports whether a token without a grant of its own, and all it was exchanged for, were not
// revoked, and whether the clients of those are enabled.
func (e *Endpoints) stands(ctx context.Context, t token.Access) (bool, error) {
	if revoked, err := e.store.TokenRevoked(ctx, t.ID); err != nil || revoked {
		return false, err
	}
	for _, source := range t.Sources {
		if c, err := e.clients.Holder(ctx, source.Client); c == nil {
			return false, err
		}
		if source.ID == "" {
			continue
		}
		if revoked, err := e.store.TokenRevoked(ctx, source.ID); err != nil || revoked {
			return false, err
		}
	}
	return true, nil
}

// introspectRefresh introspects a refresh token, which is active only for its own client.
func (e *Endpoints) introspectRefresh(ctx context.Context, c *clients.Client, presented string) (response, *oauth.Error) {
	id, generation, ok := e.codec.ReadRefresh(presented)
	if !ok {
		return response{}, nil
	}
	stored, err := e.store.Grant(ctx, id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return response{}, oauth.Unavailable(err)
	}
	g := stored.Grant
	now := e.now()
	if err != nil || g.Authorization.ClientID != c.ID || !stored.Alive() || !g.Refreshable || generation != g.Generation ||
		!now.Before(g.RefreshUntil) || !now.Before(g.ExpiresAt) {
		return response{}, nil
	}
	a := g.Authorization
	sub, err := e.codec.Subject(c, a.UserID)
	if err != nil {
		return response{}, oauth.Unavailable(err)
	}
	sid, err := e.codec.SessionID(c, a.SessionID)
	if err != nil {
		return response{}, oauth.Unavailable(err)
	}
	return response{Confirmation: token.BoundTo(g.RefreshKey, g.RefreshCertificate), Active: true, Scope: strings.Join(a.Scopes, " "), ClientID: c.ID, Subject: sub,
		Issuer: e.issuer, Expires: min(g.RefreshUntil.Unix(), g.ExpiresAt.Unix()), Issued: g.RedeemedAt.Unix(),
		Session: sid, ACR: a.ACR, AMR: a.AMR, AuthTime: a.AuthTime.Unix(), Details: a.Details}, nil
}
