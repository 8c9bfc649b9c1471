package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	fositestorage "github.com/ory/fosite/storage"

	"sallyport/mfa"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// fositeStore is our storage in fosite's eyes. It reads each record once and writes
// nothing: what fosite wants written is gathered, and settle stores it in one call
// after the whole answer, ID token included, is made and signed. So nothing can fail
// between the commit and the answer, and no transaction waits for a signature.
type fositeStore struct{ p *Provider }

// fosite finds some of these by looking, and says nothing where it does not find them.
var (
	_ fosite.Storage                     = (*fositeStore)(nil)
	_ fosite.ClientManager               = (*fositeStore)(nil)
	_ oauth2.CoreStorage                 = (*fositeStore)(nil)
	_ oauth2.AuthorizeCodeStorage        = (*fositeStore)(nil)
	_ oauth2.AccessTokenStorage          = (*fositeStore)(nil)
	_ oauth2.RefreshTokenStorage         = (*fositeStore)(nil)
	_ oauth2.TokenRevocationStorage      = (*fositeStore)(nil)
	_ openid.OpenIDConnectRequestStorage = (*fositeStore)(nil)
	_ fositestorage.Transactional        = (*fositeStore)(nil)
)

// gathering is what one call read and wants to write. It rides in the context: fosite
// has no other place for it.
type gathering struct {
	now      time.Time
	visit    mfa.Caller       // where the call comes from
	client   storage.ClientID // who calls, authenticated as its registration demands
	verifier string           // code_verifier

	code *storage.CodeStanding // read at the token endpoint

	grant     *storage.Standing // read at a refresh
	presented int64             // generation of the refresh token presented

	redeem    bool // spend the code, make the grant
	refresh   bool // a refresh token is handed out with it
	rotate    bool // move the grant to its next generation
	committed bool
	revoke    storage.GrantID // reuse was seen: end this grant
}

type gatheringKey struct{}

func gather(ctx context.Context, now time.Time) (context.Context, *gathering) {
	g := &gathering{now: now}
	return context.WithValue(ctx, gatheringKey{}, g), g
}

func gathered(ctx context.Context) (*gathering, error) {
	if g, ok := ctx.Value(gatheringKey{}).(*gathering); ok {
		return g, nil
	}
	return nil, errors.New("provider: nothing gathers what fosite writes")
}

// GetClient serves fosite's authorization endpoint; elsewhere authenticate does.
func (s *fositeStore) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	c, err := s.p.clients.Client(ctx, storage.ClientID(id))
	if isNotFound(err) || (err == nil && c.Disabled) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, &storageFailure{err}
	}
	return c, nil
}

// ClientAssertionJWTValid refuses: fosite's own client authentication is not used.
func (*fositeStore) ClientAssertionJWTValid(context.Context, string) error { return fosite.ErrJTIKnown }

// SetClientAssertionJWT refuses as well.
func (*fositeStore) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return fosite.ErrJTIKnown
}

// CreateAuthorizeCodeSession writes nothing: makeCode builds the record itself.
func (*fositeStore) CreateAuthorizeCodeSession(context.Context, string, fosite.Requester) error {
	return nil
}

// code reads a code once a call.
func (s *fositeStore) code(ctx context.Context, code string) (*storage.CodeStanding, error) {
	g, err := gathered(ctx)
	if err != nil {
		return nil, err
	}
	if g.code != nil {
		return g.code, nil
	}
	if len(code) != codeLength {
		return nil, fosite.ErrNotFound
	}
	standing, err := s.p.store.Code(ctx, code, g.now)
	if isNotFound(err) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, &storageFailure{err}
	}
	g.code = &standing
	return g.code, nil
}

// GetAuthorizeCodeSession returns what a code stands for, to the client it was given to.
// A used code comes with ErrInvalidatedAuthorizeCode and fosite revokes its grant (RFC
// 6749 section 4.1.2), if the caller could have redeemed it: another client, and who has
// seen a code in an address but not its verifier, must not be able to end what the right
// one holds. A code whose user was disabled or signed out since is as good as unknown.
func (s *fositeStore) GetAuthorizeCodeSession(ctx context.Context, code string, _ fosite.Session) (fosite.Requester, error) {
	standing, err := s.code(ctx, code)
	if err != nil {
		return nil, err
	}
	a := standing.Code.Authorization
	g, err := gathered(ctx)
	if err != nil {
		return nil, err
	}
	used := !standing.Code.UsedAt.IsZero()
	if g.client != a.ClientID || used && !verifies(standing.Code.Params["code_challenge"], g.verifier) {
		return nil, fosite.ErrNotFound
	}
	c, err := s.p.clients.Client(ctx, a.ClientID)
	if isNotFound(err) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, &storageFailure{err}
	}
	session := &grantSession{authorization: a, account: standing.Account, grant: standing.Code.GrantID}
	r := requester(c, session)
	for name, value := range standing.Code.Params {
		r.Form.Set(name, value)
	}
	if used {
		return r, fosite.ErrInvalidatedAuthorizeCode
	}
	if standing.SessionEnded || !active(standing.Account.User) {
		return nil, fosite.ErrNotFound
	}
	return r, nil
}

// active reports whether tokens may be made for a user.
func active(u storage.User) bool { return u.ID != "" && u.In() }

// requester writes a grant as the request fosite thinks it comes from.
func requester(c *clients.Client, session *grantSession) *fosite.Request {
	r := fosite.NewRequest()
	r.ID, r.Client, r.Session = string(session.grant), c, session
	r.RequestedScope, r.GrantedScope = session.authorization.Scopes, session.authorization.Scopes
	return r
}

// InvalidateAuthorizeCodeSession gathers the spending of the code.
func (*fositeStore) InvalidateAuthorizeCodeSession(ctx context.Context, _ string) error {
	g, err := gathered(ctx)
	if err != nil {
		return err
	}
	g.redeem = true
	return nil
}

// Access tokens are statements about a grant and are not stored.

func (*fositeStore) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil
}

func (*fositeStore) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

func (*fositeStore) DeleteAccessTokenSession(context.Context, string) error { return nil }

// CreateRefreshTokenSession notes that a refresh token goes out.
func (*fositeStore) CreateRefreshTokenSession(ctx context.Context, _, _ string, _ fosite.Requester) error {
	g, err := gathered(ctx)
	if err != nil {
		return err
	}
	g.refresh = true
	return nil
}

// GetRefreshTokenSession returns the grant behind a refresh token, to the client that
// holds it. The session passed in is not needed and may be nil. An old generation comes with ErrInactiveToken, and
// fosite ends the family; within the client's grace the one before the last is let
// through to the same successor.
func (s *fositeStore) GetRefreshTokenSession(ctx context.Context, token string, _ fosite.Session) (fosite.Requester, error) {
	g, err := gathered(ctx)
	if err != nil {
		return nil, err
	}
	id, generation, ok := s.p.openRefresh(token)
	if !ok {
		return nil, fosite.ErrNotFound
	}
	standing, err := s.p.store.Grant(ctx, id)
	if isNotFound(err) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, &storageFailure{err}
	}
	grant := standing.Grant
	if g.client != grant.Authorization.ClientID {
		return nil, fosite.ErrNotFound // reuse is what its own client does, or whoever can pass for it
	}
	c, err := s.p.clients.Client(ctx, grant.Authorization.ClientID)
	if isNotFound(err) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, &storageFailure{err}
	}
	if !standing.Alive() || !active(standing.Account.User) || !grant.Refreshable || generation > grant.Generation ||
		!g.now.Before(grant.RefreshUntil) || !g.now.Before(grant.ExpiresAt) {
		return nil, fosite.ErrNotFound
	}
	session := &grantSession{authorization: grant.Authorization, account: standing.Account, grant: id, successor: generation + 1}
	// OpenID Connect Core section 12.2: the nonce belongs to the login and is not told again.
	session.authorization.Nonce = ""
	r := requester(c, session)
	g.grant, g.presented = &standing, generation
	if generation < grant.Generation && !inGrace(grant, generation, c, g.now) {
		return r, fosite.ErrInactiveToken
	}
	return r, nil
}

// inGrace reports whether a rotated token may still have its successor: only the last
// one, only for a moment. A later generation says that the successor was used. Without a
// grace it never may: a rotation by another server may lie ahead of what is now here.
func inGrace(grant storage.Grant, generation int64, c *clients.Client, now time.Time) bool {
	return c.GracePeriod() > 0 && generation == grant.Generation-1 && now.Before(grant.RotatedAt.Add(c.GracePeriod()))
}

// DeleteRefreshTokenSession has nothing to delete: a generation is old by counting.
func (*fositeStore) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken gathers the step to the next generation, unless it was made.
func (*fositeStore) RotateRefreshToken(ctx context.Context, _, _ string) error {
	g, err := gathered(ctx)
	if err != nil {
		return err
	}
	g.rotate = g.grant != nil && g.presented == g.grant.Grant.Generation
	return nil
}

// RevokeRefreshToken gathers the end of a grant: fosite saw reuse.
func (*fositeStore) RevokeRefreshToken(ctx context.Context, grant string) error {
	g, err := gathered(ctx)
	if err != nil {
		return err
	}
	g.revoke = storage.GrantID(grant)
	return nil
}

// RevokeAccessToken is the same: access tokens live and die with their grant.
func (s *fositeStore) RevokeAccessToken(ctx context.Context, grant string) error {
	return s.RevokeRefreshToken(ctx, grant)
}

// The OpenID Connect part of an authorization is part of the code's record.

func (*fositeStore) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetOpenIDConnectSession returns what the code stands for, if it is about OpenID Connect.
func (*fositeStore) GetOpenIDConnectSession(_ context.Context, _ string, r fosite.Requester) (fosite.Requester, error) {
	if !r.GetGrantedScopes().Has("openid") {
		return nil, openid.ErrNoSessionFound
	}
	return r, nil
}

func (*fositeStore) DeleteOpenIDConnectSession(context.Context, string) error { return nil }

// BeginTX begins nothing yet: settle is the transaction.
func (*fositeStore) BeginTX(ctx context.Context) (context.Context, error) { return ctx, nil }

// Commit allows settle to write what was gathered.
func (*fositeStore) Commit(ctx context.Context) error {
	g, err := gathered(ctx)
	if err != nil {
		return err
	}
	g.committed = true
	return nil
}

// Rollback forgets what was gathered, except a revocation.
func (*fositeStore) Rollback(ctx context.Context) error {
	g, err := gathered(ctx)
	if err != nil {
		return err
	}
	g.redeem, g.rotate, g.refresh, g.committed = false, false, false, false
	return nil
}

// makeCode makes an authorization code and its record, through fosite.
func (p *Provider) makeCode(ctx context.Context, r *request, a storage.Authorization) (storage.Code, error) {
	now := p.now()
	ctx, _ = gather(ctx, now)
	ar, err := p.authorizeRequest(ctx, r)
	if err != nil {
		return storage.Code{}, fmt.Errorf("authorize request: %w", err)
	}
	for _, scope := range a.Scopes {
		ar.GrantScope(scope)
	}
	response, err := p.fosite.NewAuthorizeResponse(ctx, ar, &grantSession{authorization: a})
	if err != nil {
		return storage.Code{}, fmt.Errorf("authorize response: %w", err)
	}
	params := map[string]string{"redirect_uri": r.redirect}
	if challenge := r.params.Get("code_challenge"); challenge != "" {
		params["code_challenge"], params["code_challenge_method"] = challenge, "S256"
	}
	return storage.Code{Code: response.GetCode(), GrantID: storage.GrantID(storage.TimeOrdered(now, p.random)), Authorization: a,
		Params: params, CreatedAt: now, ExpiresAt: now.Add(p.options.CodeTTL)}, nil
}
