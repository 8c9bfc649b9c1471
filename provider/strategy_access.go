package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"sallyport/provider/clients"
	"sallyport/storage"
)

// accessPrefix marks opaque access tokens.
const accessPrefix = "sp_at_"

// accessToken is what an access token says, sealed or as JWT (RFC 9068 section 2.2).
type accessToken struct {
	Issuer   string            `json:"iss"`
	Subject  string            `json:"sub"` // the client where there is no user
	Audience audience          `json:"aud"`
	Client   storage.ClientID  `json:"client_id"`
	Expires  int64             `json:"exp"`
	Issued   int64             `json:"iat"`
	ID       string            `json:"jti"`
	Scope    string            `json:"scope,omitempty"`
	Scopes   []string          `json:"scopes,omitempty"` // the same as a list, for cidaas' libraries
	Grant    storage.GrantID   `json:"grant_id,omitempty"`
	Session  storage.SessionID `json:"sid,omitempty"`
	ACR      string            `json:"acr,omitempty"`
	AMR      []string          `json:"amr,omitempty"`
	AuthTime int64             `json:"auth_time,omitempty"`
	Roles    []string          `json:"roles,omitzero"` // of a user; an empty list says: none
}

// accessStrategy makes access tokens: statements about a grant that are never stored.
type accessStrategy struct{ p *Provider }

var _ oauth2.AccessTokenStrategy = (*accessStrategy)(nil)

// AccessTokenSignature is not needed: no access token is looked up.
func (*accessStrategy) AccessTokenSignature(context.Context, string) string { return "" }

// ValidateAccessToken is not used: introspection is ours.
func (*accessStrategy) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrInactiveToken
}

// GenerateAccessToken makes the token of a grant or, without a user, of a client.
func (s *accessStrategy) GenerateAccessToken(_ context.Context, r fosite.Requester) (string, string, error) {
	session, ok := r.GetSession().(*grantSession)
	c, ours := r.GetClient().(*clients.Client)
	if !ok || !ours {
		return "", "", errors.New("provider: a session that is not ours")
	}
	now := s.p.now()
	a := session.authorization
	t := accessToken{Issuer: s.p.options.Issuer, Subject: string(a.UserID), Audience: audienceOf(c, session), Client: c.ID,
		Issued: now.Unix(), Expires: now.Add(c.GetEffectiveLifespan("", fosite.AccessToken, s.p.options.AccessTokenTTL)).Unix(),
		ID: storage.Random128(s.p.random), Scope: strings.Join(r.GetGrantedScopes(), " "), Scopes: r.GetGrantedScopes(),
		Grant: session.grant, Session: a.SessionID, ACR: a.ACR, AMR: a.AMR}
	if !a.AuthTime.IsZero() {
		t.AuthTime = a.AuthTime.Unix()
	}
	t.Roles = accessRoles(c, &session.account, t.Scopes)
	if t.Subject == "" {
		t.Subject = string(c.ID) // RFC 9068 section 2.2: without a resource owner, the client
	}
	token, err := s.p.writeAccess(t, c, now)
	session.access = token
	return token, "", err
}

// audienceOf: the resources asked for, else those of the client, else the client itself.
func audienceOf(c *clients.Client, session *grantSession) audience {
	switch {
	case len(session.audience) > 0:
		return session.audience
	case len(session.authorization.Audience) > 0:
		return session.authorization.Audience
	case len(c.Audience) > 0:
		return c.Audience
	}
	return audience{string(c.ID)}
}

func (p *Provider) writeAccess(t accessToken, c *clients.Client, now time.Time) (string, error) {
	payload, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("write access token: %w", err)
	}
	if c.AccessTokenFormat != "opaque" {
		return p.keys.sign(c.SigningAlg(p.options.SigningAlg), typeAccess, payload, now)
	}
	sealed, err := p.keyring.Seal("access_token", p.sealedFor(), payload)
	if err != nil {
		return "", fmt.Errorf("seal access token: %w", err)
	}
	return accessPrefix + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// sealedFor binds opaque tokens to this very server.
func (p *Provider) sealedFor() string { return p.options.Environment + " " + p.options.Issuer }

// maxToken bounds tokens presented to us.
const maxToken = 8192

var errToken = errors.New("provider: not a living access token of ours")

// readAccess opens an access token of ours that has not expired. Whether its grant
// still counts is the caller's next question.
func (p *Provider) readAccess(token string) (accessToken, error) {
	if token == "" || len(token) > maxToken {
		return accessToken{}, errToken
	}
	var payload []byte
	if sealed, ok := strings.CutPrefix(token, accessPrefix); ok {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
		if err != nil {
			return accessToken{}, errToken
		}
		if payload, err = p.keyring.Open("access_token", p.sealedFor(), raw); err != nil {
			return accessToken{}, errToken
		}
	} else {
		verified, typ, err := p.keys.verify(token)
		if err != nil || typ != typeAccess {
			return accessToken{}, errToken
		}
		payload = verified
	}
	var t accessToken
	if err := json.Unmarshal(payload, &t); err != nil || t.Issuer != p.options.Issuer || p.now().Unix() >= t.Expires || t.ID == "" {
		return accessToken{}, errToken
	}
	return t, nil
}
