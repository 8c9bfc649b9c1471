package provider

import (
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"

	"sallyport/storage"
)

// grantSession is what fosite carries through one call: whose tokens are made, from
// which grant. Nothing of it is stored; the grant's own record is.
type grantSession struct {
	authorization storage.Authorization
	account       storage.Account
	grant         storage.GrantID // "": client credentials
	successor     int64           // generation of the refresh token to hand out
	audience      []string        // narrowed by this call (RFC 8707 section 2.2); nil: all
	access        string          // the access token just made, for at_hash

	claims  jwt.IDTokenClaims
	headers jwt.Headers
}

var _ openid.Session = (*grantSession)(nil)

// SetExpiresAt ignores what fosite reads off its own clock; with no time kept it tells
// clients the lifetime itself, and our strategies count from the server's clock.
func (*grantSession) SetExpiresAt(fosite.TokenType, time.Time) {}
func (*grantSession) GetExpiresAt(fosite.TokenType) time.Time  { return time.Time{} }

func (s *grantSession) GetUsername() string { return "" }
func (s *grantSession) GetSubject() string  { return string(s.authorization.UserID) }

// Clone copies the session; what it points to is never written.
func (s *grantSession) Clone() fosite.Session {
	c := *s
	return &c
}

// IDTokenClaims gives fosite what it asks about: a subject. The token itself is made in
// idtoken.go.
func (s *grantSession) IDTokenClaims() *jwt.IDTokenClaims {
	s.claims.Subject = string(s.authorization.UserID)
	return &s.claims
}

// IDTokenHeaders is not used by us.
func (s *grantSession) IDTokenHeaders() *jwt.Headers { return &s.headers }
