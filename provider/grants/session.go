package grants

import (
	"encoding/json"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"

	"sallyport/provider/token"
	"sallyport/storage"
)

// session is what fosite passes along during a request: the user and the grant of the tokens.
// It is not stored; the grant is.
type session struct {
	authorization storage.Authorization
	account       *storage.Account    // nil: client credentials
	grant         storage.GrantID     // "": client credentials
	successor     int64               // generation of the refresh token to issue
	audience      []string            // narrowed by the request (RFC 8707 section 2.2); nil: all
	details       json.RawMessage     // authorization details of the access token
	bound         *token.Confirmation // what its tokens are bound to; nil: nothing
	access        string              // the access token that was issued, for at_hash

	claims *jwt.IDTokenClaims
}

var _ openid.Session = (*session)(nil)

// SetExpiresAt ignores times of fosite's clock. Without them fosite returns the lifetime to
// clients, and the strategies use the server's clock.
func (*session) SetExpiresAt(fosite.TokenType, time.Time) {}
func (*session) GetExpiresAt(fosite.TokenType) time.Time  { return time.Time{} }

func (s *session) GetUsername() string { return "" }
func (s *session) GetSubject() string  { return string(s.authorization.UserID) }

// Clone returns the session: the request that fosite copies it from is used no more.
func (s *session) Clone() fosite.Session { return s }

// IDTokenClaims returns the subject, which fosite checks. idTokenStrategy writes the token.
func (s *session) IDTokenClaims() *jwt.IDTokenClaims {
	if s.claims == nil {
		s.claims = &jwt.IDTokenClaims{}
	}
	s.claims.Subject = string(s.authorization.UserID)
	return s.claims
}

// IDTokenHeaders is not used.
func (*session) IDTokenHeaders() *jwt.Headers { return &jwt.Headers{} }
