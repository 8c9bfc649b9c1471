package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Authorization is what a user's authorization of a client says: written once at
// the finish of a request, copied from code to grant, told in every token.
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
	// Factors are the proofs behind it. What its session gathers later is nothing to it.
	Factors []Factor `json:"factors,omitempty"`
}

// Code is an authorization code (RFC 6749 section 4.1.2) with everything the
// token endpoint compares. Used codes stay until they are swept, so that a
// second use is seen.
type Code struct {
	Code          string // kept as keyed hash
	GrantID       GrantID
	Authorization Authorization
	// Params are the authorization parameters the token endpoint compares: among
	// them redirect_uri, code_challenge and code_challenge_method.
	Params    map[string]string
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
}

// Grant is what one authorization gave to one client. Access tokens are statements
// about it and are not stored; refresh tokens are derived from (ID, Generation).
type Grant struct {
	ID            GrantID
	Authorization Authorization
	// Offline: the grant outlives its session (offline_access).
	Offline bool
	// Refreshable: a refresh token was given out.
	Refreshable bool
	// Generation counts refreshes. The token of Generation is good; the one before
	// it gets the same successor within the client's grace; older ones are reuse.
	Generation   int64
	RotatedAt    time.Time
	RefreshUntil time.Time // idle end of the refresh token
	ExpiresAt    time.Time // absolute end of the refresh token
	CreatedAt    time.Time
	RevokedAt    time.Time
	RevokeReason string
}

// Standing is a grant (or code) with what decides whether it still counts, in one read.
type Standing struct {
	Grant   Grant
	Account Account // without Authenticators
	// SessionEnded: the session was ended (logout, revocation), not merely expired.
	SessionEnded bool
	// OfflineEnded: and everything it led to with it, offline grants included.
	OfflineEnded bool
}

// Alive reports whether tokens of the grant count: not revoked, the user neither
// disabled nor pending, the session not ended unless the grant is offline and was meant to stay.
func (s Standing) Alive() bool {
	return s.Grant.RevokedAt.IsZero() && s.Account.User.In() && s.Account.User.ID != "" &&
		(!s.SessionEnded || s.Grant.Offline && !s.OfflineEnded)
}

// CodeStanding is Standing before the grant exists.
type CodeStanding struct {
	Code         Code
	Account      Account // without Authenticators
	SessionEnded bool
}

// Redemption spends a code and makes its grant.
type Redemption struct {
	Code   string
	Grant  Grant
	Now    time.Time
	Events []Event
}

// Rotation spends a refresh generation.
type Rotation struct {
	ID         GrantID
	Generation int64 // the one presented; becomes Generation+1
	Until      time.Time
	Now        time.Time
	Events     []Event
}

// Grants keeps what clients were given.
type Grants interface {
	// Code returns a code, used ones included, expired ones not.
	Code(ctx context.Context, code string, now time.Time) (CodeStanding, error)
	// RedeemCode spends a code. ErrConflict: it was used or has expired.
	RedeemCode(ctx context.Context, r Redemption) error
	// Grant returns a grant, revoked ones included. One statement.
	Grant(ctx context.Context, id GrantID) (Standing, error)
	// RotateRefresh moves a living grant to its next generation. ErrConflict: it has
	// another generation, is revoked or its refresh token has ended.
	RotateRefresh(ctx context.Context, r Rotation) error
	// RevokeGrant ends a grant. Ending an ended or unknown grant is no error.
	RevokeGrant(ctx context.Context, id GrantID, reason string, now time.Time, events []Event) error
	// GrantsOf returns a user's living grants, newest first.
	GrantsOf(ctx context.Context, user UserID, now time.Time) ([]Grant, error)
	// RevokeToken remembers a token that has no grant (client credentials) until it expires.
	RevokeToken(ctx context.Context, jti string, until time.Time, events []Event) error
	// TokenRevoked reports whether RevokeToken named it.
	TokenRevoked(ctx context.Context, jti string) (bool, error)
}
