package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Authorization is what a user authorized a client for. It is written once, at the finish of
// a request, and part of every token.
type Authorization struct {
	ClientID    ClientID        `json:"client_id"`
	UserID      UserID          `json:"user_id"`
	SessionID   SessionID       `json:"sid,omitempty"`
	Scopes      []string        `json:"scopes"`
	Audience    []string        `json:"audience,omitempty"`
	Nonce       string          `json:"nonce,omitempty"`
	ACR         string          `json:"acr,omitempty"`
	AMR         []string        `json:"amr,omitempty"`
	AuthTime    time.Time       `json:"auth_time"`
	RequestedAt time.Time       `json:"requested_at"`
	Claims      json.RawMessage `json:"claims,omitempty"` // the claims parameter (OpenID Connect Core section 5.5)
	// Details are the authorization details (RFC 9396), a list of objects.
	Details json.RawMessage `json:"authorization_details,omitempty"`
	// CodeKey is the thumbprint (RFC 7638) of the key that its code is bound to, the parameter
	// dpop_jkt (RFC 9449 section 10). "": none.
	CodeKey string `json:"dpop_jkt,omitempty"`
	// Factors are its proofs. Later proofs of the session are not added.
	Factors []Factor `json:"factors,omitempty"`
}

// Grant is the result of one authorization of one client. Its code and its access tokens are
// not stored; the code is derived from ID, its refresh tokens from (ID, Generation). Until the
// code is redeemed (RFC 6749 section 4.1.2) the grant is not valid and not listed.
type Grant struct {
	ID            GrantID
	Authorization Authorization
	// CodeUntil is the end of its code, used or not; zero: it never had one.
	CodeUntil time.Time
	// RedirectURI is that of the authorization request. "": redeemed.
	RedirectURI string
	// CodeChallenge (RFC 7636, S256) is kept after the redemption: only a caller who could
	// have redeemed a code may revoke its grant with it. "": none.
	CodeChallenge string
	RedeemedAt    time.Time // zero: the code was not redeemed
	// Offline: the grant outlives its session (offline_access).
	Offline bool
	// Refreshable: it has refresh tokens.
	Refreshable bool
	// Generation counts refreshes. The token of Generation is valid; the previous one
	// gets the same successor within the client's grace; older ones are reuse.
	Generation int64
	// RefreshKey is the thumbprint (RFC 7638) of the key that the refresh tokens of a public
	// client are bound to (RFC 9449 section 5). "": none.
	RefreshKey string
	// RefreshCertificate is the thumbprint of the certificate that they are bound to (RFC 8705
	// section 4). "": none.
	RefreshCertificate string
	RotatedAt          time.Time
	RefreshUntil       time.Time // idle end of the refresh token
	// ExpiresAt is the absolute end of the refresh token. Until the code is redeemed it is
	// the latest one possible: it decides for good when the row is removed.
	ExpiresAt time.Time
	CreatedAt time.Time
	// SessionUntil is the end of its session as it is known when the grant is stored. Until then the
	// row says that the session has signed in the client. It is written, not read.
	SessionUntil time.Time
	RevokedAt    time.Time
	RevokeReason string
}

// GrantAccount is a grant with what decides whether it is valid, in one read.
type GrantAccount struct {
	Grant   Grant
	Account Account // without Authenticators
	// SessionEnded: the session was ended (logout, revocation), not merely expired.
	SessionEnded bool
	// OfflineEnded: its offline grants were ended with it, or the grant's client keeps none.
	OfflineEnded bool
}

// Alive reports whether tokens of the grant are valid: its code was redeemed, it is not
// revoked, the user is neither disabled nor pending, and the session has not ended, unless the grant is offline
// and outlives it.
func (s GrantAccount) Alive() bool {
	return !s.Grant.RedeemedAt.IsZero() && s.Grant.RevokedAt.IsZero() && s.Account.User.In() && s.Account.User.ID != "" &&
		(!s.SessionEnded || s.Grant.Offline && !s.OfflineEnded)
}

// Redemption spends the code of a grant, which then has tokens until these times.
type Redemption struct {
	ID                      GrantID
	Offline, Refreshable    bool
	RefreshKey              string
	RefreshCertificate      string
	RefreshUntil, ExpiresAt time.Time
	Now                     time.Time
	Events                  []Event
}

// Rotation spends a refresh generation.
type Rotation struct {
	ID         GrantID
	Generation int64 // of the token sent; becomes Generation+1
	Keep       bool  // it stays Generation, and the token may be sent again
	RefreshKey string
	// RefreshCertificate is as in Grant.
	RefreshCertificate string
	Until              time.Time
	Now                time.Time
	Events             []Event
}

// Grants stores grants, revoked tokens and used proofs.
type Grants interface {
	// RedeemCode spends the code of a grant. ErrConflict: it was used or has expired, or the
	// grant is revoked.
	RedeemCode(ctx context.Context, r Redemption) error
	// Grant returns a grant, even if revoked or not redeemed. One statement.
	Grant(ctx context.Context, id GrantID) (GrantAccount, error)
	// GrantState returns what Alive asks of a grant, and the ID, status and roles of its user. One
	// statement.
	GrantState(ctx context.Context, id GrantID) (GrantAccount, error)
	// RotateRefresh increments the generation of a valid grant, unless Keep is set. ErrConflict: it has another
	// generation, is revoked or its refresh token has expired.
	RotateRefresh(ctx context.Context, r Rotation) error
	// RevokeGrant ends a grant. Ending an ended or unknown grant is not an error.
	RevokeGrant(ctx context.Context, id GrantID, reason string, now time.Time, events []Event) error
	// GrantsOf returns a user's valid grants, newest first.
	GrantsOf(ctx context.Context, user UserID, now time.Time) ([]Grant, error)
	// RevokeToken revokes a token without a grant (client credentials) until it expires.
	RevokeToken(ctx context.Context, jti string, until time.Time, events []Event) error
	// TokenRevoked reports whether RevokeToken revoked it.
	TokenRevoked(ctx context.Context, jti string) (bool, error)
	// UseProof uses a JWT that is good once, and is remembered until a time after it expires.
	// ErrConflict: it was used. One statement.
	UseProof(ctx context.Context, id string, until time.Time) error
}
