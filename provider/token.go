package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// tokens is the answer of the token endpoint (RFC 6749 section 5.1, OpenID Connect Core
// section 3.1.3.3).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// Token is the token endpoint (RFC 6749 section 3.2).
func (p *Provider) Token(w http.ResponseWriter, r *http.Request, v mfa.Caller) {
	form, e := readForm(r)
	if e == nil {
		e = checkGrantType(form)
	}
	if e != nil {
		p.writeError(w, r, e)
		return
	}
	delete(form, "audience") // fosite's own parameter; ours is resource
	ctx, g := gather(r.Context(), p.now())
	g.visit = v
	g.verifier = form.Get("code_verifier")
	answer, e := p.token(ctx, g, r, form, v)
	if e != nil {
		p.writeError(w, r, e)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func checkGrantType(form url.Values) *oauthError {
	switch grant := form.Get("grant_type"); {
	case grant == "":
		return refusal("invalid_request", "grant_type is missing")
	case !slices.Contains(grantTypes[:], grant):
		return refusal("unsupported_grant_type", describeCode("unsupported_grant_type"))
	case len(form.Get("scope")) > maxScope:
		return refusal("invalid_scope", "scope is too long")
	}
	return nil
}

// token makes the tokens, then stores what that costs, then answers.
func (p *Provider) token(ctx context.Context, g *gathering, r *http.Request, form url.Values, v mfa.Caller) (*tokens, *oauthError) {
	requested, err := p.fosite.NewAccessRequest(ctx, r, &grantSession{})
	if g.revoke != "" {
		return nil, p.endFamily(ctx, g, v)
	}
	if err != nil {
		e := errorOf(err)
		if e.code == "invalid_grant" && form.Get("grant_type") == "client_credentials" {
			e = refusal("unauthorized_client", describeCode("unauthorized_client")) // a public client
		}
		return nil, e
	}
	access, ok := requested.(*fosite.AccessRequest)
	if !ok {
		return nil, errorOf(errors.New("provider: fosite made a request we do not know"))
	}
	session, ok := access.GetSession().(*grantSession)
	if !ok {
		return nil, errorOf(errors.New("provider: a session that is not ours"))
	}
	c, ok := access.GetClient().(*clients.Client)
	if !ok {
		return nil, errorOf(errors.New("provider: a client that is not ours"))
	}
	if e := narrow(access, session, c, form); e != nil {
		return nil, e
	}
	made, err := p.fosite.NewAccessResponse(ctx, access)
	if err != nil {
		return nil, errorOf(err)
	}
	if e := p.settle(ctx, g, session, c, v); e != nil {
		return nil, e
	}
	answer := &tokens{AccessToken: made.GetAccessToken(), TokenType: "Bearer",
		ExpiresIn: int64(c.GetEffectiveLifespan("", fosite.AccessToken, p.options.AccessTokenTTL) / time.Second),
		Scope:     strings.Join(access.GetGrantedScopes(), " ")}
	answer.RefreshToken, _ = made.GetExtra("refresh_token").(string)
	answer.IDToken, _ = made.GetExtra("id_token").(string)
	return answer, nil
}

// narrow fits scopes and resources of this one call to what was granted. fosite ignores
// both; asking for more must be refused (RFC 6749 section 6, RFC 8707 section 2.2).
func narrow(access *fosite.AccessRequest, session *grantSession, c *clients.Client, form url.Values) *oauthError {
	scopes := fields(form.Get("scope"))
	switch form.Get("grant_type") {
	case "client_credentials":
		for _, s := range scopes {
			// These two are about users; without one they say nothing.
			if s != "openid" && s != "offline_access" {
				access.GrantScope(s)
			}
		}
	case "refresh_token":
		if !covers(access.GetGrantedScopes(), scopes) {
			return refusal("invalid_scope", "a scope was not granted")
		}
		if len(scopes) > 0 {
			access.GrantedScope = scopes
		}
	}
	granted := session.authorization.Audience
	if !covers(c.Audience, granted) {
		return refusal("invalid_target", "a resource is not one of this client's any more")
	}
	if len(granted) == 0 {
		granted = c.Audience
	}
	resources := form["resource"]
	if len(resources) > maxNames || !covers(granted, resources) {
		return refusal("invalid_target", "a resource was not granted")
	}
	session.audience = resources
	return nil
}

// endFamily ends a grant whose code or refresh token was used twice (RFC 6749 section
// 10.5, RFC 9700 section 4.14.2).
func (p *Provider) endFamily(ctx context.Context, g *gathering, v mfa.Caller) *oauthError {
	kind, reason := mfa.EventRefreshReused, "refresh token reuse"
	var a storage.Authorization
	if g.code != nil {
		kind, reason, a = mfa.EventCodeReplayed, "code replay", g.code.Code.Authorization
	}
	if g.grant != nil {
		a = g.grant.Grant.Authorization
	}
	e := p.journal.Event(v, storage.Event{Kind: kind, Outcome: mfa.OutcomeRefused, UserID: a.UserID, ClientID: a.ClientID,
		SessionID: a.SessionID, GrantID: g.revoke})
	if err := p.store.RevokeGrant(ctx, g.revoke, reason, g.now, []storage.Event{e}); err != nil {
		return unavailable(err)
	}
	return refusal("invalid_grant", describeCode("invalid_grant"))
}

// settle stores what the call costs: one transaction, or none.
func (p *Provider) settle(ctx context.Context, g *gathering, session *grantSession, c *clients.Client, v mfa.Caller) *oauthError {
	switch {
	case g.redeem && g.committed && g.code != nil:
		return p.redeem(ctx, g, c, v)
	case g.rotate && g.committed && g.grant != nil:
		return p.rotate(ctx, g, c, v)
	case session.grant == "":
		p.journal.Note(p.journal.Event(v, storage.Event{Kind: mfa.EventTokenIssued, Outcome: mfa.OutcomeOK, ClientID: c.ID}))
	}
	return nil
}

// redeem spends the code and makes its grant. Who comes second, even by a hair, has
// used a code twice.
func (p *Provider) redeem(ctx context.Context, g *gathering, c *clients.Client, v mfa.Caller) *oauthError {
	code := g.code.Code
	a := code.Authorization
	grant := storage.Grant{ID: code.GrantID, Authorization: a, Refreshable: g.refresh, CreatedAt: g.now,
		Offline: g.refresh && slices.Contains(a.Scopes, "offline_access")}
	grant.ExpiresAt = g.now.Add(c.GetEffectiveLifespan("", fosite.AccessToken, p.options.AccessTokenTTL))
	grant.RefreshUntil = grant.ExpiresAt
	if g.refresh {
		grant.ExpiresAt = g.now.Add(p.refreshTTL(c))
		grant.RefreshUntil = earlier(g.now.Add(p.refreshIdle(c)), grant.ExpiresAt)
	}
	e := p.journal.Event(v, storage.Event{Kind: mfa.EventCodeRedeemed, Outcome: mfa.OutcomeOK, UserID: a.UserID,
		ClientID: a.ClientID, SessionID: a.SessionID, GrantID: grant.ID})
	err := p.store.RedeemCode(ctx, storage.Redemption{Code: code.Code, Grant: grant, Now: g.now, Events: []storage.Event{e}})
	if errors.Is(err, storage.ErrConflict) {
		g.revoke = grant.ID
		return p.endFamily(ctx, g, v)
	}
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// rotate moves the grant to its next generation. Who comes second is judged as if it
// had come later: within the grace it is given the same successor, which is already
// made, otherwise the family ends.
func (p *Provider) rotate(ctx context.Context, g *gathering, c *clients.Client, v mfa.Caller) *oauthError {
	grant := g.grant.Grant
	a := grant.Authorization
	e := p.journal.Event(v, storage.Event{Kind: mfa.EventTokenRefresh, Outcome: mfa.OutcomeOK, UserID: a.UserID,
		ClientID: a.ClientID, SessionID: a.SessionID, GrantID: grant.ID})
	err := p.store.RotateRefresh(ctx, storage.Rotation{ID: grant.ID, Generation: g.presented, Now: g.now,
		Until: earlier(g.now.Add(p.refreshIdle(c)), grant.ExpiresAt), Events: []storage.Event{e}})
	if err == nil {
		return nil
	}
	if !errors.Is(err, storage.ErrConflict) {
		return unavailable(err)
	}
	standing, err := p.store.Grant(ctx, grant.ID)
	if err != nil && !isNotFound(err) {
		return unavailable(err)
	}
	if err != nil || !standing.Alive() {
		return refusal("invalid_grant", describeCode("invalid_grant"))
	}
	if inGrace(standing.Grant, g.presented, c, g.now) {
		return nil
	}
	g.revoke = grant.ID
	return p.endFamily(ctx, g, v)
}

func (p *Provider) refreshIdle(c *clients.Client) time.Duration {
	if c.RefreshTokenIdleTTL > 0 {
		return c.RefreshTokenIdleTTL.Duration()
	}
	return p.options.RefreshIdleTTL
}

func (p *Provider) refreshTTL(c *clients.Client) time.Duration {
	if c.RefreshTokenTTL > 0 {
		return c.RefreshTokenTTL.Duration()
	}
	return p.options.RefreshTTL
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
