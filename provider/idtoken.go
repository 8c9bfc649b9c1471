package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/provider/clients"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
)

// idTokenStrategy makes ID tokens (OpenID Connect Core section 2) from our own table of
// claims: fosite's would add rat and jti, which nobody asked for.
type idTokenStrategy struct{ p *Provider }

var _ openid.OpenIDConnectTokenStrategy = (*idTokenStrategy)(nil)

// GenerateIDToken makes the ID token that goes with the access token just made.
func (s *idTokenStrategy) GenerateIDToken(_ context.Context, lifetime time.Duration, r fosite.Requester) (string, error) {
	session, ok := r.GetSession().(*grantSession)
	c, ours := r.GetClient().(*clients.Client)
	if !ok || !ours || session.authorization.UserID == "" {
		return "", errors.New("provider: a session that is not ours")
	}
	now := s.p.now()
	alg := c.SigningAlg(s.p.options.SigningAlg)
	claims := s.p.idClaims(c, session, r.GetGrantedScopes(), now, lifetime)
	if session.access != "" {
		claims["at_hash"] = halfHash(alg, session.access)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("write ID token: %w", err)
	}
	return s.p.keys.sign(alg, typeID, payload, now)
}

// idClaims are the claims of an ID token but at_hash. Those of a scope come from
// userinfo; here are only those asked for by name (section 5.4).
func (p *Provider) idClaims(c *clients.Client, session *grantSession, scopes []string, now time.Time, lifetime time.Duration) map[string]any {
	a := session.authorization
	claims := map[string]any{}
	if asked, err := parseClaims(string(a.Claims)); err == nil {
		for name := range asked.IDToken {
			if allowedClaim(name, scopes, c.Scopes) {
				set(claims, name, userClaim(name, &session.account))
			}
		}
	}
	claims["iss"], claims["sub"], claims["aud"], claims["azp"] = p.options.Issuer, a.UserID, c.ID, c.ID
	claims["iat"], claims["exp"] = now.Unix(), now.Add(lifetime).Unix()
	if !a.AuthTime.IsZero() {
		claims["auth_time"] = a.AuthTime.Unix()
	}
	set(claims, "nonce", a.Nonce)
	set(claims, "acr", a.ACR)
	set(claims, "sid", string(a.SessionID))
	if len(a.AMR) > 0 {
		claims["amr"] = a.AMR
	}
	return claims
}
