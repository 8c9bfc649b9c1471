package grants

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	fositestorage "github.com/ory/fosite/storage"

	"sallyport/provider/clients"
	"sallyport/provider/dpop"
	"sallyport/provider/mtls"
	"sallyport/provider/oauth"
	"sallyport/provider/pkce"
	"sallyport/storage"
)

// store implements the storage of fosite. It reads each record once and writes nothing: it
// records what fosite wants to write in the transaction of the request. settle writes it after
// all tokens are signed. So nothing fails between commit and response, and no database
// transaction waits for a signature.
type store struct{ i *Issuer }

// fosite asserts some of these interfaces at run time, and ignores missing ones.
var (
	_ fosite.Storage                     = (*store)(nil)
	_ fosite.ClientManager               = (*store)(nil)
	_ oauth2.CoreStorage                 = (*store)(nil)
	_ oauth2.AuthorizeCodeStorage        = (*store)(nil)
	_ oauth2.AccessTokenStorage          = (*store)(nil)
	_ oauth2.RefreshTokenStorage         = (*store)(nil)
	_ oauth2.TokenRevocationStorage      = (*store)(nil)
	_ openid.OpenIDConnectRequestStorage = (*store)(nil)
	_ fositestorage.Transactional        = (*store)(nil)
)

// readError returns the fosite error for a record that could not be read or does not count.
func readError(err error) error {
	if err == nil || errors.Is(err, storage.ErrNotFound) {
		return fosite.ErrNotFound
	}
	return &oauth.StorageError{Err: err}
}

// GetClient is not used: authenticate finds the client.
func (*store) GetClient(context.Context, string) (fosite.Client, error) { return nil, errUnused }

// ClientAssertionJWTValid refuses: fosite does not authenticate clients.
func (*store) ClientAssertionJWTValid(context.Context, string) error { return fosite.ErrJTIKnown }

// SetClientAssertionJWT refuses as well.
func (*store) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return fosite.ErrJTIKnown
}

// CreateAuthorizeCodeSession is not used: newCode creates the grant.
func (*store) CreateAuthorizeCodeSession(context.Context, string, fosite.Requester) error {
	return errUnused
}

// code reads the grant of an unexpired code, used or not, once per request.
func (s *store) code(ctx context.Context, code string) (*storage.GrantAccount, error) {
	tx, err := current(ctx)
	if err != nil {
		return nil, err
	}
	if tx.code != nil {
		return tx.code, nil
	}
	id, ok := s.i.codec.ReadCode(code)
	if !ok {
		refused(ctx, "code", oauth.UnknownCode)
		return nil, fosite.ErrNotFound
	}
	stored, err := s.i.store.Grant(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		refused(ctx, "code", oauth.UnknownCode)
	}
	if err != nil {
		return nil, readError(err)
	}
	if !tx.now.Before(stored.Grant.CodeUntil) {
		refused(ctx, "code", oauth.ExpiredCode)
		return nil, fosite.ErrNotFound
	}
	tx.code = &stored
	return tx.code, nil
}

// GetAuthorizeCodeSession returns the authorization of a code to the client that it was issued
// to. For a used code it returns ErrInvalidatedAuthorizeCode and fosite revokes the grant (RFC
// 6749 section 4.1.2), but only if the caller could have redeemed the code: another client, or
// an attacker who saw the code but has neither verifier nor key, must not be able to revoke it. A code is
// unknown once its user was disabled or signed out, even where an offline grant would live on.
func (s *store) GetAuthorizeCodeSession(ctx context.Context, code string, _ fosite.Session) (fosite.Requester, error) {
	tx, err := current(ctx)
	if err != nil {
		return nil, err
	}
	if tx.redeemable != nil {
		return tx.redeemable, nil
	}
	stored, err := s.code(ctx, code)
	if err != nil {
		return nil, err
	}
	g := &stored.Grant
	used := !g.RedeemedAt.IsZero()
	if tx.client != g.Authorization.ClientID {
		refused(ctx, "code", oauth.OtherClient)
		return nil, fosite.ErrNotFound
	}
	if used && !pkce.Verify(g.CodeChallenge, tx.verifier) {
		refused(ctx, "code_verifier", oauth.WrongVerifier)
		return nil, fosite.ErrNotFound
	}
	if bound := g.Authorization.CodeKey; bound != "" && bound != tx.proof.Thumbprint() {
		refused(ctx, dpop.Header, oauth.WrongKey)
		return nil, fosite.ErrNotFound
	}
	c, err := s.i.clients.Client(ctx, tx.client)
	if err != nil {
		return nil, readError(err)
	}
	r := requester(c, &session{authorization: g.Authorization, account: &stored.Account, grant: g.ID})
	r.Form.Set("redirect_uri", g.RedirectURI)
	if used {
		return r, fosite.ErrInvalidatedAuthorizeCode
	}
	switch {
	case !active(stored.Account.User):
		refused(ctx, "code", oauth.DisabledUser)
		return nil, fosite.ErrNotFound
	case stored.SessionEnded:
		refused(ctx, "code", oauth.SignedOut)
		return nil, fosite.ErrNotFound
	}
	tx.redeemable = r
	return r, nil
}

// active reports whether tokens may be issued for a user.
func active(u storage.User) bool { return u.ID != "" && u.In() }

// requester returns a grant as the request that fosite expects.
func requester(c *clients.Client, s *session) *fosite.Request {
	r := fosite.NewRequest()
	r.ID, r.Client, r.Session = string(s.grant), c, s
	r.RequestedScope, r.GrantedScope = s.authorization.Scopes, s.authorization.Scopes
	return r
}

// InvalidateAuthorizeCodeSession records that the code is redeemed.
func (*store) InvalidateAuthorizeCodeSession(ctx context.Context, _ string) error {
	tx, err := current(ctx)
	if err != nil {
		return err
	}
	tx.redeem = true
	return nil
}

// Access tokens are not stored.

func (*store) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil
}

func (*store) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

func (*store) DeleteAccessTokenSession(context.Context, string) error { return nil }

// CreateRefreshTokenSession records that a refresh token is issued.
func (*store) CreateRefreshTokenSession(ctx context.Context, _, _ string, _ fosite.Requester) error {
	tx, err := current(ctx)
	if err != nil {
		return err
	}
	tx.refresh = true
	return nil
}

// GetRefreshTokenSession returns the grant of a refresh token to the client that it was issued
// to. It ignores the session, which may be nil. For an old generation it returns
// ErrInactiveToken, and fosite revokes the family, whatever key the caller has: a thief may have bound
// the newer ones to their own. Within the client's grace period the
// previous generation gets the same successor.
func (s *store) GetRefreshTokenSession(ctx context.Context, token string, _ fosite.Session) (fosite.Requester, error) {
	tx, err := current(ctx)
	if err != nil {
		return nil, err
	}
	id, generation, ok := s.i.codec.ReadRefresh(token)
	if !ok {
		refused(ctx, "refresh_token", oauth.UnknownToken)
		return nil, fosite.ErrNotFound
	}
	stored, err := s.i.store.Grant(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		refused(ctx, "refresh_token", oauth.UnknownToken)
	}
	if err != nil {
		return nil, readError(err)
	}
	grant := stored.Grant
	if tx.client != grant.Authorization.ClientID {
		refused(ctx, "refresh_token", oauth.OtherClient)
		return nil, fosite.ErrNotFound // only the client itself can reuse a token
	}
	c, err := s.i.clients.Client(ctx, grant.Authorization.ClientID)
	if err != nil {
		return nil, readError(err)
	}
	if why := unfit(stored, generation, tx.now); why != "" {
		refused(ctx, "refresh_token", why)
		return nil, fosite.ErrNotFound
	}
	sess := &session{authorization: grant.Authorization, account: &stored.Account, grant: id, successor: generation + 1}
	if c.KeepsRefreshToken() {
		sess.successor = generation
	}
	// OpenID Connect Core section 12.2: the nonce is not repeated.
	sess.authorization.Nonce = ""
	r := requester(c, sess)
	tx.grant, tx.presented = &stored, generation
	if generation < grant.Generation && !inGrace(grant, generation, c, tx.now) {
		return r, fosite.ErrInactiveToken
	}
	if parameter, reason := tx.unbound("refresh_token", grant.RefreshKey, grant.RefreshCertificate); reason != "" {
		refused(ctx, parameter, reason)
		return nil, fosite.ErrNotFound
	}
	return r, nil
}

// refreshBinding returns the key and the certificate that the next refresh token of a grant is bound
// to: for public clients the first ones they prove, while others authenticate (RFC 9449 section 5,
// RFC 8705 section 4).
func (tx *transaction) refreshBinding(c *clients.Client, bound storage.Grant) (key, certificate string) {
	key, certificate = bound.RefreshKey, bound.RefreshCertificate
	if c.AuthenticationMethod() != "none" {
		return key, certificate
	}
	return cmp.Or(key, tx.proof.Thumbprint()), cmp.Or(certificate, tx.certificateOf(c))
}

// certificateOf returns the thumbprint of the caller's certificate, if tokens of the client are bound
// to it.
func (tx *transaction) certificateOf(c *clients.Client) string {
	if !c.CertificateBound {
		return ""
	}
	return mtls.Thumbprint(tx.caller.Certificates)
}

// unbound returns what the caller lacks of the key and certificate that a token is bound to, and why the
// token is refused.
func (tx *transaction) unbound(token, key, certificate string) (parameter, reason string) {
	switch {
	case key != "" && key != tx.proof.Thumbprint():
		return dpop.Header, oauth.WrongKey
	case certificate != "" && certificate != mtls.Thumbprint(tx.caller.Certificates):
		return token, oauth.WrongCertificate
	}
	return "", ""
}

// unfit returns why a refresh token is not accepted, besides reuse; "": it is.
func unfit(stored storage.GrantAccount, generation int64, now time.Time) string {
	grant := stored.Grant
	switch {
	case !active(stored.Account.User):
		return oauth.DisabledUser
	case !stored.Alive():
		return oauth.RevokedToken
	case !grant.Refreshable || generation > grant.Generation:
		return oauth.UnknownToken
	case !now.Before(grant.RefreshUntil) || !now.Before(grant.ExpiresAt):
		return oauth.ExpiredToken
	}
	return ""
}

// inGrace reports whether a rotated token still gets its successor: the previous generation,
// during the grace period. Later generations prove that the successor was used. Without a grace
// period it returns false, whatever the clock: that of another server may be ahead.
func inGrace(grant storage.Grant, generation int64, c *clients.Client, now time.Time) bool {
	return c.GracePeriod() > 0 && generation == grant.Generation-1 && now.Before(grant.RotatedAt.Add(c.GracePeriod()))
}

// DeleteRefreshTokenSession does nothing: the generation counts.
func (*store) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken records the use of the newest refresh token. An older one within its grace period
// changes nothing.
func (*store) RotateRefreshToken(ctx context.Context, _, _ string) error {
	tx, err := current(ctx)
	if err != nil {
		return err
	}
	tx.rotate = tx.grant != nil && tx.presented == tx.grant.Grant.Generation
	return nil
}

// RevokeRefreshToken records that a grant is revoked: fosite detected reuse.
func (*store) RevokeRefreshToken(ctx context.Context, grant string) error {
	tx, err := current(ctx)
	if err != nil {
		return err
	}
	tx.revoke = storage.GrantID(grant)
	return nil
}

// RevokeAccessToken does the same: access tokens end with their grant.
func (s *store) RevokeAccessToken(ctx context.Context, grant string) error {
	return s.RevokeRefreshToken(ctx, grant)
}

// The record of a code includes the OpenID Connect part of the authorization.

func (*store) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return errUnused
}

// GetOpenIDConnectSession returns the request if the scope openid was granted.
func (*store) GetOpenIDConnectSession(_ context.Context, _ string, r fosite.Requester) (fosite.Requester, error) {
	if !r.GetGrantedScopes().Has("openid") {
		return nil, openid.ErrNoSessionFound
	}
	return r, nil
}

func (*store) DeleteOpenIDConnectSession(context.Context, string) error { return nil }

// BeginTX does nothing: settle opens the database transaction.
func (*store) BeginTX(ctx context.Context) (context.Context, error) { return ctx, nil }

// Commit allows settle to write.
func (*store) Commit(ctx context.Context) error {
	tx, err := current(ctx)
	if err != nil {
		return err
	}
	tx.committed = true
	return nil
}

// Rollback discards everything but a revocation.
func (*store) Rollback(ctx context.Context) error {
	tx, err := current(ctx)
	if err != nil {
		return err
	}
	tx.redeem, tx.rotate, tx.refresh, tx.committed = false, false, false, false
	return nil
}
