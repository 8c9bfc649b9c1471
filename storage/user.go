package storage

import (
	"context"
	"encoding/json"
	"time"
)

// UserStatus says whether a user may sign in.
type UserStatus string

// The states of a user.
const (
	UserActive   UserStatus = "active"
	UserPending  UserStatus = "pending" // has proven nothing yet, and becomes active with the first proof
	UserDisabled UserStatus = "disabled"
)

// User is a person who signs in.
type User struct {
	ID     UserID
	Status UserStatus
	// MFAEnabled is the user's own wish for a second factor. It is switched on by
	// enrolling one on our pages or during a login, not by a backend or an import.
	MFAEnabled bool
	// Roles are what the user may be taken for by applications and resource servers, in
	// their own words (RFC 9068 section 2.2.3.1). They mean nothing to us.
	Roles []string
	// Profile holds standard claims by name (OpenID Connect Core section 5.1),
	// without sub, email, phone_number and their verified flags: those are Identifiers.
	Profile map[string]any
	// Metadata is what backends attach to a user; it is opaque to us.
	Metadata  json.RawMessage
	CreatedAt time.Time
	UpdatedAt time.Time
}

// In reports whether what was given to the user counts: sessions, tokens, enrolments. A
// pending user has nothing of that kind, and gets it with the first proof.
func (u User) In() bool { return u.Status != UserDisabled && u.Status != UserPending }

// IdentifierKind is what sort of name an Identifier is.
type IdentifierKind string

// The kinds of identifiers. A user name holds no '@' and does not begin with '+',
// so one typed value can only be of one kind.
const (
	Email    IdentifierKind = "email"
	Phone    IdentifierKind = "phone"
	Username IdentifierKind = "username"
)

// Identifier is one name by which a user is found. Values are canonical (trimmed,
// NFKC, lower case; phone numbers in E.164) and unique over all users and kinds.
type Identifier struct {
	ID         IdentifierID
	UserID     UserID
	Kind       IdentifierKind
	Value      string
	VerifiedAt time.Time // zero: not verified
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Account is a user with everything a login asks about: one read.
type Account struct {
	User           User
	Identifiers    []Identifier    // ordered by CreatedAt, then ID
	Authenticators []Authenticator // ordered by CreatedAt, then ID; every state
}

// Authenticator returns one of the account's authenticators; nil: it has no such one.
func (a *Account) Authenticator(id AuthenticatorID) *Authenticator {
	for i := range a.Authenticators {
		if a.Authenticators[i].ID == id && id != "" {
			return &a.Authenticators[i]
		}
	}
	return nil
}

// NewUser is a user with all that is made together with it.
type NewUser struct {
	User           User
	Identifiers    []Identifier
	Authenticators []Authenticator
	RecoveryCodes  []string // with an Authenticator of method "recovery" among them
	Events         []Event
}

// UserChange replaces what is not nil.
type UserChange struct {
	ID         UserID
	Status     *UserStatus
	MFAEnabled *bool
	Roles      *[]string
	Profile    map[string]any
	Metadata   json.RawMessage
	// Kill ends, in the same transaction, the user's pending and verified statuses,
	// open requests, sessions and grants. Disabling a user sets it, and so does taking
	// a factor away.
	Kill     bool
	Names    *NamesChange
	Factors  *FactorsChange
	Reset    []ThrottleKey // counters that start anew
	Now      time.Time
	Events   []Event
	Messages []Message
}

// NamesChange replaces names of a user: first some go, then others come. ErrConflict:
// one that comes is taken.
type NamesChange struct {
	Drop   []IdentifierID
	Add    []Identifier
	Verify []IdentifierID // become proven, where they are not
}

// FactorsChange replaces what a user proves themselves with.
type FactorsChange struct {
	Drop          []string        // methods: their authenticators go, of every state, with codes and statuses
	Add           []Authenticator // after the others went
	RecoveryCodes []string        // with an Authenticator of method "recovery" in Add
	Enable        bool            // disabled authenticators become active
}

// UserFilter pages through users by ID.
type UserFilter struct {
	After UserID // exclusive; empty: from the first
	Limit int    // 1..1000
}

// Users keeps the user base.
type Users interface {
	// CreateUser adds a user. ErrConflict: the ID or an identifier is taken.
	CreateUser(ctx context.Context, u NewUser) error
	// Account returns a user by ID. ErrNotFound: there is none.
	Account(ctx context.Context, id UserID) (Account, error)
	// AccountByIdentifier returns a user by one canonical identifier value.
	AccountByIdentifier(ctx context.Context, value string) (Account, error)
	// AccountByAuthenticator returns the user who enrolled one of these authenticators.
	AccountByAuthenticator(ctx context.Context, ids ...AuthenticatorID) (Account, error)
	// UpdateUser changes a user. ErrNotFound: there is none.
	UpdateUser(ctx context.Context, c UserChange) error
	// DeleteUser removes a user and everything that belongs to it, events excepted.
	DeleteUser(ctx context.Context, id UserID, events []Event) error
	// ListUsers returns users in the order of their IDs.
	ListUsers(ctx context.Context, f UserFilter) ([]User, error)
	// AddIdentifier attaches a name. ErrConflict: it is taken.
	AddIdentifier(ctx context.Context, i Identifier, events []Event) error
	// VerifyIdentifier marks a name as proven.
	VerifyIdentifier(ctx context.Context, id IdentifierID, now time.Time, events []Event) error
	// DeleteIdentifier detaches a name from its user.
	DeleteIdentifier(ctx context.Context, user UserID, id IdentifierID, events []Event) error
}
