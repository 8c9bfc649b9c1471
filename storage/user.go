package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"time"
)

// UserStatus says whether a user may sign in.
type UserStatus string

// The states of a user.
const (
	UserActive   UserStatus = "active"
	UserPending  UserStatus = "pending" // has proven nothing yet; the first proof makes the user active
	UserDisabled UserStatus = "disabled"
)

// User is a person who signs in.
type User struct {
	ID     UserID
	Status UserStatus
	// MFAEnabled is the user's setting to require a second factor. Enrolling one on the
	// hosted pages or in a login sets it; a backend or an import does not.
	MFAEnabled bool
	// Roles are values for applications and resource servers (RFC 9068 section 2.2.3.1).
	// The server does not interpret them.
	Roles []string
	// Profile holds standard claims by name (OpenID Connect Core section 5.1),
	// without sub, email, phone_number and their verified flags: those are Identifiers.
	Profile map[string]any
	// Metadata is attached by backends; the server does not interpret it.
	Metadata json.RawMessage
	// PasskeyDeclinedAt is when the user declined the offer of a passkey; zero: never. Only an
	// Account has it.
	PasskeyDeclinedAt time.Time
	// DevicesEnded is how often all remembered devices of the user have ended. What a browser keeps
	// of an earlier time is not valid. Only an Account has it.
	DevicesEnded int64
	// Terms are those that the user accepted last. Only an Account has them.
	Terms     Terms
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Terms are the terms of use that a user accepted; zero: none.
type Terms struct {
	Client     ClientID  `json:"client_id,omitempty"` // whose they are; "": the server's
	URL        string    `json:"url,omitempty"`
	Version    string    `json:"version"`
	AcceptedAt time.Time `json:"accepted_at"`
}

// In reports whether the user's sessions, tokens and enrolments are valid. A pending user
// has none before the first proof.
func (u User) In() bool { return u.Status != UserDisabled && u.Status != UserPending }

// Next returns the time of a change of the user as it was read, for UserChange.Now: later than the
// one before, whatever the clocks say.
func (u User) Next(now time.Time) time.Time {
	if next := u.UpdatedAt.Add(time.Microsecond); now.Before(next) {
		return next
	}
	return now
}

// IdentifierKind is the kind of an Identifier.
type IdentifierKind string

// The kinds of identifiers. A user name has no '@' and does not begin with '+', so a
// value is of one kind only.
const (
	Email    IdentifierKind = "email"
	Phone    IdentifierKind = "phone"
	Username IdentifierKind = "username"
	// Retired is a user name that its user gave up. Until ExpiresAt no other user can have it. No
	// lookup but AccountByRetired finds it.
	Retired IdentifierKind = "retired"
)

// Identifier is a name of a user. Values are canonical (input.SameName; phone numbers in E.164)
// and unique across users and kinds. They are for comparing only: names are shown, and messages
// sent, as Text.
type Identifier struct {
	ID         IdentifierID
	UserID     UserID
	Kind       IdentifierKind
	Value      string
	Shown      string    // trimmed, NFKC, lower case, where that differs from Value
	VerifiedAt time.Time // zero: not verified
	// ExpiresAt is when an unverified identifier is dropped. From then until it is swept, a
	// new identifier of the value replaces it. Zero: never.
	ExpiresAt time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Text returns the name as it is shown, and the address to send to: a value with another case
// of a letter, as ss for ß, may be another mailbox.
func (i Identifier) Text() string { return cmp.Or(i.Shown, i.Value) }

// Account is a user with everything a login needs, in one read.
type Account struct {
	User           User
	Identifiers    []Identifier    // ordered by CreatedAt, then ID
	Retired        []Identifier    // user names given up, expired ones too; not in what is read for a token
	Authenticators []Authenticator // ordered by CreatedAt, then ID; every state
}

// Authenticator returns one of the account's authenticators, or nil.
func (a *Account) Authenticator(id AuthenticatorID) *Authenticator {
	for i := range a.Authenticators {
		if a.Authenticators[i].ID == id && id != "" {
			return &a.Authenticators[i]
		}
	}
	return nil
}

// NewUser is a user with everything created with it.
type NewUser struct {
	User           User
	Identifiers    []Identifier
	Authenticators []Authenticator
	RecoveryCodes  []string // with an Authenticator of method "recovery" among them
	// Over are names of other users that are dropped unless they are verified by now, as in
	// NamesChange.
	Over     []IdentifierID
	Ticket   *TicketSpend // spent with the creation, of an Address; ErrConflict: it is not valid
	Events   []Event
	Messages []Message
}

// UserChange replaces what is not nil.
type UserChange struct {
	ID UserID
	// Was, unless zero, must still be the user's UpdatedAt; Now must be later. ErrConflict:
	// another change came first.
	Was        time.Time
	Status     *UserStatus
	MFAEnabled *bool
	Roles      *[]string
	Profile    map[string]any
	Metadata   json.RawMessage
	Terms      *Terms
	// Kill ends, in the same transaction, the user's pending and verified statuses, open
	// requests, sessions, grants and tickets. Disabling a user and removing a factor set it.
	Kill bool
	// EndTickets ends every ticket of the user, also those that Kill leaves valid: what an
	// administrator decides is not undone by the link of a message.
	EndTickets bool
	Ticket     *TicketSpend // spent with the change; ErrConflict: it is not valid
	Issue      []Ticket     // created with the change
	Names      *NamesChange
	Factors    *FactorsChange
	Reset      []ThrottleKey // counters to reset
	Basis      *Basis        // if not nil, must still be valid; ErrConflict: it is not
	Now        time.Time
	Events     []Event
	Messages   []Message
}

// NamesChange replaces names of a user: Drop and Over first, then Add. ErrConflict: a name in Add
// is taken, or kept for a user who gave it up.
type NamesChange struct {
	Drop []IdentifierID
	// Over are names of other users that are dropped unless they are verified by now: a claim
	// gives way to a proof.
	Over   []IdentifierID
	Add    []Identifier
	Verify []IdentifierID // become verified, unless they are
	Keep   []IdentifierID // lose their expiry
	// Retire are user names that become Retired, until Until.
	Retire []IdentifierID
	Until  time.Time
}

// FactorsChange replaces authenticators of a user.
type FactorsChange struct {
	Drop          []string          // methods whose authenticators are removed, in every state, with codes and statuses
	Remove        []AuthenticatorID // as Authenticators.DeleteAuthenticator does
	Lasting       []string          // as in Removal, after Add
	Add           []Authenticator   // after Drop and Remove
	RecoveryCodes []string          // with an Authenticator of method "recovery" in Add
	Enable        bool              // disabled authenticators become active
}

// UserFilter pages through users by ID.
type UserFilter struct {
	After UserID // exclusive; empty: from the first
	Limit int    // 1..1000
}

// UserSearch selects users. Within a list any value matches; the lists are combined by And,
// or by Or if Any is set. A nil list is not a condition; without one every user matches.
type UserSearch struct {
	IDs            []UserID
	Emails, Phones []string // canonical
	NamePart       string   // part of a canonical identifier of any kind; "": not a condition
	Statuses       []UserStatus
	Any            bool
	After          UserID // exclusive; empty: from the first
	Limit          int    // 1..1000
	Count          bool   // also return the Total
	Now            time.Time
}

// MostCounted is the largest Total of a search: to count more would take as long as there are users.
const MostCounted = 10_000

// UsersFound is one page of a search, in the order of user IDs.
type UsersFound struct {
	Accounts []Account
	Total    int  // on all pages, at most MostCounted; 0 without Count
	More     bool // after this page
}

// Users stores users. Lookups by identifier ignore expired ones.
type Users interface {
	// CreateUser adds a user. ErrConflict: the ID or an identifier is taken, or the ticket is not
	// valid.
	CreateUser(ctx context.Context, u NewUser) error
	// Account returns a user by ID. ErrNotFound: there is none.
	Account(ctx context.Context, id UserID) (Account, error)
	// AccountByIdentifier returns a user by one canonical identifier value.
	AccountByIdentifier(ctx context.Context, value string, now time.Time) (Account, error)
	// AccountByRetired returns the user for whom a canonical user name is kept, which is Retired.
	AccountByRetired(ctx context.Context, value string, now time.Time) (Account, error)
	// AccountByIdentifierID returns a user by the ID of an identifier.
	AccountByIdentifierID(ctx context.Context, id IdentifierID, now time.Time) (Account, error)
	// AccountByAuthenticator returns the user who enrolled one of these authenticators.
	AccountByAuthenticator(ctx context.Context, ids ...AuthenticatorID) (Account, error)
	// AccountByCredential returns the user of the authenticator with this Credential.
	AccountByCredential(ctx context.Context, credential []byte) (Account, error)
	// UpdateUser changes a user. ErrNotFound: there is none.
	UpdateUser(ctx context.Context, c UserChange) error
	// DeclinePasskey sets PasskeyDeclinedAt, the first time only. ErrConflict: it is set, or there is
	// no such user. UpdatedAt stays, as nothing that others see changes.
	DeclinePasskey(ctx context.Context, id UserID, now time.Time) error
	// DeleteUser removes a user and everything that belongs to it except events and messages.
	DeleteUser(ctx context.Context, id UserID, now time.Time, events []Event) error
	// ListUsers returns users in the order of their IDs.
	ListUsers(ctx context.Context, f UserFilter) ([]User, error)
	// SearchUsers returns one page of users.
	SearchUsers(ctx context.Context, s UserSearch) (UsersFound, error)
	// AddIdentifier attaches a name. ErrConflict: it is taken.
	AddIdentifier(ctx context.Context, i Identifier, events []Event) error
	// VerifyIdentifier marks a name as proven.
	VerifyIdentifier(ctx context.Context, id IdentifierID, now time.Time, events []Event) error
}
