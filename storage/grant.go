package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Authorization is what a user authorized a client for. It is written once at the finish
// of a request, copied from code to grant, and part of every token.
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
	// Factors are its proofs. Later proofs of the session are not added.
	Factors []Factor `json:"factors,omitempty"`
}

// Code is an authorization code (RFC 6749 section 4.1.2) with everything the token
// endpoint compares. Used codes are kept until they are swept, to detect reuse.
type Code struct {
	Code          string // stored as keyed hash
	GrantID       GrantID
	Authorization Authorization
	// Params are the authorization parameters the token endpoint compares, such as
	// redirect_uri, code_challenge and code_challenge_method.
	Params    map[string]string
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
}

// Grant is the result of one authorization of one client. Its access tokens are not
// stored; its refresh tokens are derived from (ID, Generation).
type Grant struct {
	ID            GrantID
	Authorization Authorization
	// Offline: the grant outlives its session (offline_access).
	Offline bool
	// Refreshable: it has refresh tokens.
	Refreshable bool
	// Generation counts refreshes. The token of Generation is valid; the previous one
	// gets the same successor within the client's grace; older ones are reuse.
	Generation   int64
	RotatedAt    time.Time
	RefreshUntil time.Time // idle end of the refresh token
	ExpiresAt    time.Time // absolute end of the refresh token
	CreatedAt    time.Time
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

// Alive reports whether tokens of the grant are valid: it is not revoked, the user is
// neither disabled nor pending, and the session has not ended, unless the grant is offline
// and outlives it.
func (s GrantAccount) Alive() bool {
	return s.Grant.RevokedAt.IsZero() && s.Account.User.In() && s.Account.User.ID != "" &&
		(!s.SessionEnded || s.Grant.Offline && !s.OfflineEnded)
}

// CodeAccount is a code with what decides whether it is valid, in one read.
type CodeAccount struct {
	Code         Code
	Account      Account // without Authenticators
	SessionEnded bool
}

// Redemption spends a code and creates its grant.
type Redemption struct {
	Code   string
	Grant  Grant
	Now    time.Time
	Events []Event
}

// Rotation spends a refresh generation.
type Rotation struct {
	ID         GrantID
	Generation int64 // of the token sent; becomes Generation+1
	Until      time.Time
	Now        time.Time
	Events     []Event
}

// Grants stores codes, grants and revoked tokens.
type Grants interface {
	// Code returns an unexpired code, even if used.
	Code(ctx context.Context, code string, now time.Time) (CodeAccount, error)
	// RedeemCode spends a code. ErrConflict: it was used or has expired.
	RedeemCode(ctx context.Context, r Redemption) error
	// Grant returns a grant, even if revoked. One statement.
	Grant(ctx context.Context, id GrantID) (GrantAccount, error)
	// GrantState returns what Alive asks of a grant, and the ID, status and roles of its user. One
	// statement.
	GrantState(ctx context.Context, id GrantID) (GrantAccount, error)
	// RotateRefresh increments the generation of a valid grant. ErrConflict: it has another
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
}
