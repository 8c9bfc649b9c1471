package grants

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"

	"sallyport/provider/claims"
	"sallyport/provider/clients"
	"sallyport/provider/signing"
	"sallyport/provider/token"
	"sallyport/storage"
)

// errSession says that fosite passed a session or client of another type.
var errSession = errors.New("grants: an unknown type of session or client")

// accessStrategy creates access tokens, which are not stored.
type accessStrategy struct{ i *Issuer }

var _ oauth2.AccessTokenStrategy = (*accessStrategy)(nil)

// AccessTokenSignature is not needed: access tokens are not looked up.
func (*accessStrategy) AccessTokenSignature(context.Context, string) string { return "" }

// ValidateAccessToken is not used: fosite does no introspection.
func (*accessStrategy) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrInactiveToken
}

// GenerateAccessToken creates the token of a grant or, without a user, of a client.
func (s *accessStrategy) GenerateAccessToken(_ context.Context, r fosite.Requester) (string, string, error) {
	sess, isSession := r.GetSession().(*session)
	c, isClient := r.GetClient().(*clients.Client)
	if !isSession || !isClient {
		return "", "", errSession
	}
	now := s.i.now()
	a := sess.authorization
	t := token.Access{Issuer: s.i.options.Issuer, User: a.UserID, Audience: audienceOf(c, sess), Client: c.ID,
		Issued: now.Unix(), Expires: now.Add(s.i.accessTTL(c)).Unix(),
		ID: storage.Random128(s.i.random), Scope: strings.Join(r.GetGrantedScopes(), " "), Scopes: r.GetGrantedScopes(),
		Grant: sess.grant, UserSession: a.SessionID, ACR: a.ACR, AMR: a.AMR,
		Details: sess.details, Confirmation: sess.bound}
	if !a.AuthTime.IsZero() {
		t.AuthTime = a.AuthTime.Unix()
	}
	if c.MayAct != "" && a.UserID != "" {
		t.MayAct = &token.Actor{Subject: string(c.MayAct)}
	}
	t.Roles = claims.Roles(c, sess.account, t.Scopes)
	var err error
	sess.access, err = s.i.codec.WriteAccess(t, c)
	return sess.access, "", err
}

// audienceOf returns the requested resources, or else those of the client, or else the client.
func audienceOf(c *clients.Client, s *session) signing.Audience {
	switch {
	case len(s.audience) > 0:
		return s.audience
	case len(s.authorization.Audience) > 0:
		return s.authorization.Audience
	case len(c.Audience) > 0 && !c.Document: // whose resources are all that the operator has
		return c.Audience
	}
	return signing.Audience{string(c.ID)}
}

// refreshStrategy derives refresh tokens from a grant and its generation.
type refreshStrategy struct{ i *Issuer }

var _ oauth2.RefreshTokenStrategy = (*refreshStrategy)(nil)

// RefreshTokenSignature is the token itself, which names its grant.
func (*refreshStrategy) RefreshTokenSignature(_ context.Context, t string) string { return t }

// GenerateRefreshToken derives the token of the next generation.
func (s *refreshStrategy) GenerateRefreshToken(_ context.Context, r fosite.Requester) (string, string, error) {
	sess, ok := r.GetSession().(*session)
	if !ok {
		return "", "", errSession
	}
	t, err := s.i.codec.WriteRefresh(sess.grant, sess.successor)
	return t, t, err
}

// ValidateRefreshToken does nothing: the grant was checked when it was read.
func (*refreshStrategy) ValidateRefreshToken(context.Context, fosite.Requester, string) error {
	return nil
}

// codeStrategy reads authorization codes.
type codeStrategy struct{}

var _ oauth2.AuthorizeCodeStrategy = (*codeStrategy)(nil)

// AuthorizeCodeSignature is the code itself, which names its grant.
func (*codeStrategy) AuthorizeCodeSignature(_ context.Context, code string) string { return code }

// GenerateAuthorizeCode is not used: newCode writes codes.
func (*codeStrategy) GenerateAuthorizeCode(context.Context, fosite.Requester) (string, string, error) {
	return "", "", errUnused
}

// ValidateAuthorizeCode does nothing: the grant was checked when it was read.
func (*codeStrategy) ValidateAuthorizeCode(context.Context, fosite.Requester, string) error {
	return nil
}

// idTokenStrategy creates ID tokens with the claims of package claims. Those of fosite would
// have rat too.
type idTokenStrategy struct{ i *Issuer }

var _ openid.OpenIDConnectTokenStrategy = (*idTokenStrategy)(nil)

// nameGrant adds jti to the claims of the ID token, with the grant of the access token, which token
// exchange needs to know what the login was granted. Where the access token is bound it is left out: an
// ID token is not, and nobody gets rid of a binding by an exchange.
func (i *Issuer) nameGrant(s *session, content map[string]any) {
	if s.grant != "" && s.bound == nil {
		content["jti"] = string(s.grant) + "." + storage.Random128(i.random)
	}
}

// GenerateIDToken creates the ID token that is issued with an access token.
func (s *idTokenStrategy) GenerateIDToken(ctx context.Context, lifetime time.Duration, r fosite.Requester) (string, error) {
	sess, isSession := r.GetSession().(*session)
	c, isClient := r.GetClient().(*clients.Client)
	if !isSession || !isClient || sess.authorization.UserID == "" {
		return "", errSession
	}
	now := s.i.now()
	content := claims.IDToken(s.i.options.Issuer, c, sess.authorization, sess.account, r.GetGrantedScopes(), now, now.Add(lifetime))
	s.i.nameGrant(sess, content)
	text, err := s.i.codec.WriteID(ctx, content, sess.authorization, c, sess.access, "")
	if err != nil {
		return "", token.ErrorOf(err)
	}
	return text, nil
}
