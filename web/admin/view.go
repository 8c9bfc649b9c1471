package admin

import (
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// User is a user without secrets. The counters are set only if one user is read.
type User struct {
	ID            storage.UserID     `json:"id"`
	Status        storage.UserStatus `json:"status"`
	MFAEnabled    bool               `json:"mfa_enabled"`
	Names         []Name             `json:"names"`
	Retired       []RetiredUsername  `json:"retired_usernames,omitempty"` // user names given up, oldest first
	Roles         []string           `json:"roles,omitempty"`
	Profile       map[string]any     `json:"profile,omitempty"`
	Terms         *Terms             `json:"terms,omitempty"` // that the user accepted last
	Factors       []Authenticator    `json:"authenticators"`
	RecoveryCodes *int               `json:"recovery_codes,omitempty"` // unused
	Sessions      *int               `json:"sessions,omitempty"`
	Waits         []Wait             `json:"waits,omitempty"`
	CreatedAt     time.Time          `json:"created_at"`
	UpdatedAt     time.Time          `json:"updated_at"`
}

// Terms are terms of use that a user accepted.
type Terms struct {
	Client     storage.ClientID `json:"client_id,omitempty"` // whose they are; "": the server's
	URL        string           `json:"url,omitempty"`
	Version    string           `json:"version"`
	AcceptedAt time.Time        `json:"accepted_at"`
}

// Name is a name of a user.
type Name struct {
	Kind     storage.IdentifierKind `json:"kind"`
	Value    string                 `json:"value"`
	Verified bool                   `json:"verified"`
}

// RetiredUsername is a user name that its user gave up. Until then nobody else can have it.
type RetiredUsername struct {
	Value string    `json:"value"`
	Until time.Time `json:"until"`
}

// Authenticator is an authenticator of a user.
type Authenticator struct {
	ID         storage.AuthenticatorID    `json:"id"`
	Method     string                     `json:"method"`
	Name       string                     `json:"name,omitempty"`
	State      storage.AuthenticatorState `json:"state"`
	Broken     bool                       `json:"broken,omitempty"`
	Origin     string                     `json:"origin"`
	CreatedAt  time.Time                  `json:"created_at"`
	LastUsedAt *time.Time                 `json:"last_used_at,omitempty"`
	// AheadUntil is until when no code is accepted, because a code for that time was accepted while the clock was ahead.
	AheadUntil *time.Time `json:"ahead_until,omitempty"`
}

// Wait is a failure counter that refuses attempts now; without an end until it is unlocked.
type Wait struct {
	Bucket  string     `json:"bucket"`
	Until   *time.Time `json:"until,omitempty"`
	Network string     `json:"network,omitempty"` // where alone it applies
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func newUser(a storage.Account) User {
	v := User{ID: a.User.ID, Status: a.User.Status, MFAEnabled: a.User.MFAEnabled, Roles: a.User.Roles, Profile: a.User.Profile,
		Names: []Name{}, Factors: []Authenticator{}, CreatedAt: a.User.CreatedAt, UpdatedAt: a.User.UpdatedAt}
	if a.User.Terms.Version != "" {
		terms := Terms(a.User.Terms)
		v.Terms = &terms
	}
	for _, i := range a.Identifiers {
		v.Names = append(v.Names, Name{i.Kind, i.Text(), !i.VerifiedAt.IsZero()})
	}
	for _, i := range a.Retired {
		v.Retired = append(v.Retired, RetiredUsername{i.Text(), i.ExpiresAt})
	}
	order := []storage.IdentifierKind{storage.Username, storage.Email, storage.Phone}
	slices.SortStableFunc(v.Names, func(a, b Name) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	for _, x := range a.Authenticators {
		v.Factors = append(v.Factors, Authenticator{ID: x.ID, Method: x.Method, Name: x.Name, State: x.State, Broken: x.Broken,
			Origin: x.Origin, CreatedAt: x.CreatedAt, LastUsedAt: moment(x.LastUsedAt)})
	}
	return v
}

func (v *User) addSummary(s users.Summary) {
	v.RecoveryCodes, v.Sessions = &s.RecoveryCodes, &s.Sessions
	for i, x := range v.Factors {
		v.Factors[i].AheadUntil = moment(s.Ahead[x.ID])
	}
	for _, w := range s.Waits {
		v.Waits = append(v.Waits, Wait{Bucket: w.Bucket, Until: moment(w.Until)})
	}
}

// Session is a session without the material of its token.
type Session struct {
	ID         storage.SessionID `json:"id"`
	UserID     storage.UserID    `json:"user"`
	Origin     string            `json:"origin"`
	Level      mfa.Level         `json:"acr"`
	Methods    []string          `json:"methods"`
	Address    string            `json:"address,omitempty"`
	UserAgent  string            `json:"user_agent,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	LastSeenAt time.Time         `json:"last_seen_at"`
	ExpiresAt  time.Time         `json:"expires_at"`
}

func newSession(s storage.Session) Session {
	v := Session{ID: s.ID, UserID: s.UserID, Origin: s.Origin, Methods: []string{}, Address: s.Address, UserAgent: s.UserAgent,
		CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, ExpiresAt: s.ExpiresAt}
	v.Level, _ = mfa.Assess(s.Factors)
	for _, f := range s.Factors {
		v.Methods = append(v.Methods, f.Method)
	}
	return v
}

// Client is a client without its secrets, with the number of valid ones.
type Client struct {
	storage.Client
	Secrets int `json:"secrets"`
	// Registration is that of a client that registered itself.
	Registration *Registration `json:"registration,omitempty"`
}

func newClient(c storage.Client) Client {
	v := Client{Client: c, Secrets: len(c.SecretHashes), Registration: newRegistration(c.Registration)}
	v.SecretHashes, v.Client.Secrets, v.Client.Registration = nil, nil, nil
	return v
}

// APIKey is an API key without its secrets.
type APIKey struct {
	ID         storage.APIKeyID `json:"id"`
	Name       string           `json:"name"`
	Dialects   []string         `json:"dialects"`
	Verbs      []string         `json:"verbs"`
	Project    string           `json:"project,omitempty"`
	App        string           `json:"app,omitempty"`
	Disabled   bool             `json:"disabled,omitempty"`
	Maker      storage.APIKeyID `json:"maker,omitempty"`
	Orphaned   bool             `json:"ended_with_maker,omitempty"`
	Secrets    int              `json:"secrets"`
	ExpiresAt  *time.Time       `json:"expires_at,omitempty"`
	LastUsedAt *time.Time       `json:"last_used_at,omitempty"`
	CreatedAt  time.Time        `json:"created_at"`
	UpdatedAt  time.Time        `json:"updated_at"`
}

func newAPIKey(k storage.APIKey, orphaned bool) APIKey {
	return APIKey{ID: k.ID, Name: k.Name, Dialects: k.Dialects, Verbs: k.Verbs, Project: k.Project, App: k.App, Disabled: k.Disabled,
		Maker: k.Maker, Orphaned: orphaned, Secrets: len(k.Hashes), ExpiresAt: moment(k.ExpiresAt), LastUsedAt: moment(k.LastUsedAt), CreatedAt: k.CreatedAt, UpdatedAt: k.UpdatedAt}
}

// Message is a message that the server sends, without its values: one may be a code.
type Message struct {
	ID          storage.MessageID    `json:"id"`
	Kind        string               `json:"kind"`
	State       storage.MessageState `json:"state"`
	Sending     bool                 `json:"sending,omitempty"`
	Recipient   string               `json:"recipient"`
	Template    string               `json:"template"`
	Locale      string               `json:"locale,omitempty"`
	Values      []string             `json:"values,omitempty"` // names
	Erased      bool                 `json:"erased,omitempty"`
	Broken      bool                 `json:"broken,omitempty"`
	Attempts    int                  `json:"attempts"`
	LastError   string               `json:"last_error,omitempty"`
	CreatedAt   time.Time            `json:"created_at"`
	NextAt      *time.Time           `json:"next_at,omitempty"`
	ExpiresAt   *time.Time           `json:"expires_at,omitempty"`
	DeliveredAt *time.Time           `json:"delivered_at,omitempty"`
	DeadAt      *time.Time           `json:"dead_at,omitempty"`
}

func newMessage(m storage.MessageRecord) Message {
	v := Message{ID: m.ID, Kind: m.Kind, State: m.State, Sending: m.Leased, Recipient: m.Recipient, Template: m.Template, Locale: m.Locale,
		Values: m.Values, Erased: m.Erased, Broken: m.Broken, Attempts: m.Attempts, LastError: m.LastError, CreatedAt: m.CreatedAt,
		ExpiresAt: moment(m.ExpiresAt), DeliveredAt: moment(m.DeliveredAt), DeadAt: moment(m.DeadAt)}
	if m.State == storage.MessageWaiting || m.State == storage.MessageRetrying {
		v.NextAt = moment(m.NextAt)
	}
	return v
}

// Event is one line of the audit trail, as docs/events.md describes it.
type Event struct {
	ID            storage.EventID   `json:"id"`
	At            time.Time         `json:"at"`
	Kind          string            `json:"kind"`
	Outcome       string            `json:"outcome"`
	Actor         string            `json:"actor,omitempty"`
	User          storage.UserID    `json:"user,omitempty"`
	Client        storage.ClientID  `json:"client,omitempty"`
	Session       storage.SessionID `json:"session,omitempty"`
	Grant         storage.GrantID   `json:"grant,omitempty"`
	Address       string            `json:"address,omitempty"`
	UserAgent     string            `json:"user_agent,omitempty"`
	CorrelationID string            `json:"correlation_id,omitempty"`
	Login         string            `json:"login,omitempty"`
	Detail        map[string]string `json:"detail,omitempty"`
}

func newEvent(e storage.Event) Event {
	return Event{ID: e.ID, At: e.At, Kind: e.Kind, Outcome: e.Outcome, Actor: e.Actor, User: e.UserID, Client: e.ClientID,
		Session: e.SessionID, Grant: e.GrantID, Address: e.Address, UserAgent: e.UserAgent, CorrelationID: e.CorrelationID, Login: e.Login, Detail: e.Detail}
}

// ServerKey is one of the server's own keys, without key material.
type ServerKey struct {
	ID        storage.KeyID `json:"id"`
	Use       string        `json:"use"`
	Alg       string        `json:"alg,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
	ActiveAt  time.Time     `json:"active_at"`
	RetiredAt *time.Time    `json:"retired_at,omitempty"`
	ExpiresAt *time.Time    `json:"expires_at,omitempty"`
}

func newServerKey(k storage.Key) ServerKey {
	return ServerKey{ID: k.ID, Use: k.Use, Alg: k.Alg, CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt,
		RetiredAt: moment(k.RetiredAt), ExpiresAt: moment(k.ExpiresAt)}
}

// Done is the response of a call that changed something.
type Done struct {
	User    storage.UserID    `json:"user,omitempty"`
	Client  storage.ClientID  `json:"client,omitempty"`
	Session storage.SessionID `json:"session,omitempty"`
	APIKey  storage.APIKeyID  `json:"api_key,omitempty"`
	Message storage.MessageID `json:"message,omitempty"`
	// RegistrationToken was created or revoked.
	RegistrationToken storage.RegistrationTokenID `json:"registration_token,omitempty"`
	// Invitation was made, or sent again.
	Invitation *Invitation `json:"invitation,omitempty"`
	Done       string      `json:"done"`
	// Secret was created by the call and is shown once: the server never shows one again.
	Secret string `json:"secret,omitempty"`
	// EnrollmentCode is for the user, and shown once as well.
	EnrollmentCode string `json:"enrollment_code,omitempty"`
	// Link of an invitation, if the caller asked for it, shown once.
	Link        string             `json:"link,omitempty"`
	Differences []users.Difference `json:"differences,omitempty"`
}
