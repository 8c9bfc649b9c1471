package storage

import (
	"context"
	"time"
)

// Registration is how a client registered itself (RFC 7591), and what its registrant may change it by.
type Registration struct {
	// TokenHash is the SHA-256 of the registration access token (RFC 7592 section 3).
	TokenHash []byte    `json:"token_hash"`
	At        time.Time `json:"at"`
	// Token is the initial access token that allowed it; "": none was needed.
	Token RegistrationTokenID `json:"token,omitempty"`
	// Statement is its software statement as it was sent (RFC 7591 section 2.3); "": none.
	Statement string `json:"statement,omitempty"`

	// UsedAt is when the client got tokens, to a day; zero: never. ExpiresAt is when the client is
	// removed if it gets none until then.
	UsedAt    time.Time `json:"-"`
	ExpiresAt time.Time `json:"-"`
}

// RegistrationToken is an initial access token (RFC 7591 section 1.2).
type RegistrationToken struct {
	ID        RegistrationTokenID
	Hash      []byte // SHA-256 of 256 random bits
	Name      string
	MaxUses   int64
	Uses      int64
	CreatedAt time.Time
	UsedAt    time.Time // zero: never
	ExpiresAt time.Time
}

// Registrations stores clients that register themselves, and the tokens they need for it. Every change of
// a client increments the version "clients".
type Registrations interface {
	// RegisterClient adds a client, which expires at Registration.ExpiresAt, and spends a use of the
	// token that it names. ErrNotFound: the token has expired, is used up or revoked. ErrConflict: the
	// ID is taken, or it names no token and there are maxUnused such clients that were never used.
	RegisterClient(ctx context.Context, c Client, maxUnused int, now time.Time, events []Event) error
	// ReplaceRegistration is ReplaceClient for a change that the client makes itself. If its users allowed
	// something else, forget removes their consents with it.
	ReplaceRegistration(ctx context.Context, c Client, was time.Time, forget bool, events []Event) error
	// UseClient records that a client got tokens: it is not removed before a time, unless a later one
	// is recorded. A client that an operator registered stays as it is.
	UseClient(ctx context.Context, id ClientID, now, keep time.Time) error

	// CreateRegistrationToken adds a token.
	CreateRegistrationToken(ctx context.Context, t RegistrationToken, events []Event) error
	// RegistrationToken returns the token with a SHA-256 sum, even if it has expired or is used up.
	RegistrationToken(ctx context.Context, hash []byte) (RegistrationToken, error)
	// ListRegistrationTokens returns all tokens, newest first.
	ListRegistrationTokens(ctx context.Context) ([]RegistrationToken, error)
	// DeleteRegistrationToken removes a token. Clients registered with it stay.
	DeleteRegistrationToken(ctx context.Context, id RegistrationTokenID, events []Event) error
}
