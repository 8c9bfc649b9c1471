package provider

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"sallyport/storage"
)

// refreshPrefix marks refresh tokens, for secret scanners and for our own endpoints.
const refreshPrefix = "sp_rt_"

// refreshStrategy derives refresh tokens from a grant and its generation. Nothing of
// them is stored, and two who refresh at once are given the same successor.
type refreshStrategy struct{ p *Provider }

var _ oauth2.RefreshTokenStrategy = (*refreshStrategy)(nil)

// RefreshTokenSignature is the token itself: it says which grant it belongs to.
func (*refreshStrategy) RefreshTokenSignature(_ context.Context, token string) string { return token }

// GenerateRefreshToken derives the token of the session's next generation.
func (s *refreshStrategy) GenerateRefreshToken(_ context.Context, r fosite.Requester) (string, string, error) {
	session, ok := r.GetSession().(*grantSession)
	if !ok {
		return "", "", errors.New("provider: a session that is not ours")
	}
	token, err := s.p.refreshToken(session.grant, session.successor)
	return token, token, err
}

// ValidateRefreshToken has nothing to add: the token was opened and its grant judged
// when it was read.
func (*refreshStrategy) ValidateRefreshToken(context.Context, fosite.Requester, string) error {
	return nil
}

func (p *Provider) refreshToken(grant storage.GrantID, generation int64) (string, error) {
	id, ok := storage.Bytes(grant)
	if !ok || generation < 0 || generation > math.MaxUint32 {
		return "", errors.New("provider: a grant that has no refresh tokens")
	}
	return refreshPrefix + p.keyring.Token("token", id, uint32(generation)), nil
}

// openRefresh reads grant and generation out of a refresh token, if we made it.
func (p *Provider) openRefresh(token string) (storage.GrantID, int64, bool) {
	sealed, ok := strings.CutPrefix(token, refreshPrefix)
	if !ok || len(sealed) != 64 {
		return "", 0, false
	}
	id, generation, ok := p.keyring.OpenToken("token", sealed)
	return storage.FromBytes[storage.GrantID](id), int64(generation), ok
}
