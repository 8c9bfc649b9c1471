// Package signup makes people users, once they have proven an e-mail address by a link or a code that
// was sent to it. The messages are those of sign-ups that people begin themselves, and of invitations.
//
// Until the proof there is no user: a ticket belongs to the address. Whoever asks gets the same
// response at the same cost, whoever has the address: Ask stores a job in the outbox, and Send, in
// the background, finds out what to write to it.
package signup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/budget"
	"sallyport/mfa/password"
	"sallyport/mfa/ticket"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Purpose is that of the tickets of sign-ups, and Kind that of their jobs in the outbox. Invitation
// is the Purpose of a ticket of a pending user whom an administrator invited.
const (
	Purpose    = "signup"
	Kind       = "signup"
	Invitation = storage.PurposeInvitation
)

// Who may sign up, as the settings of the server and of clients say.
const (
	Off     = "off"
	Open    = "open"
	Invited = "invited" // pending users only, whom an administrator or a backend has created
)

// Store is the part of storage that SignUps use.
type Store interface {
	Account(ctx context.Context, id storage.UserID) (storage.Account, error)
	AccountByIdentifier(ctx context.Context, value string, now time.Time) (storage.Account, error)
	PutMessages(ctx context.Context, messages []storage.Message, sends []storage.Throttle, now time.Time) error
	CreateTicket(ctx context.Context, t storage.NewTicket, now time.Time) error
	TicketByLink(ctx context.Context, purpose, link string) (storage.Ticket, error)
	GuessTicket(ctx context.Context, g storage.TicketGuess) (storage.Ticket, error)
	ListInvitations(ctx context.Context, f storage.InvitationFilter) ([]storage.Invitation, error)
}

// Joiner creates or activates the user and spends the ticket, as users.Registry does.
type Joiner interface {
	SignUp(ctx context.Context, v mfa.Caller, s users.SignUp) (storage.Authenticator, error)
}

// Terms are the terms of use that people accept; zero: there are none.
type Terms struct {
	Client       storage.ClientID // whose they are; "": the server's
	URL, Version string
}

// Options configure SignUps.
type Options struct {
	Product string
	Page    string        // address of the page that the secret of a link is appended to
	Mode    string        // who may sign up: Off, Open or Invited
	Life    time.Duration // of a link and its code
	Terms   Terms         // where a client has none of its own
	Admit   budget.Admit
	// Client returns a client. storage.ErrNotFound: there is none.
	Client func(ctx context.Context, id storage.ClientID) (storage.Client, error)
	// Methods are those of the server.
	Methods []mfa.Info
	// Passkeys is the method that users can set up in place of a password; nil: none.
	Passkeys mfa.Enroller
}

// SignUps are the sign-ups of people.
type SignUps struct {
	store   Store
	joiner  Joiner
	keyring *seal.Keyring
	tickets *ticket.Tickets
	journal *audit.Journal
	now     func() time.Time
	random  io.Reader
	o       Options
}

// New returns SignUps.
func New(store Store, joiner Joiner, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time, random io.Reader, o Options) *SignUps {
	tickets := ticket.New(store, keyring, now, random, ticket.Options{Purpose: Purpose, Counter: "sign up", Product: o.Product, Page: o.Page, Life: o.Life, Admit: o.Admit})
	return &SignUps{tickets: tickets, store: store, joiner: joiner, keyring: keyring, journal: journal, now: now, random: random, o: o}
}

// Options returns what the SignUps are configured with.
func (s *SignUps) Options() Options { return s.o }

// Mode returns who may sign up for a client: what the client says, else what the server says. Off at
// the server is off for every client.
func (s *SignUps) Mode(c storage.Client) string {
	if s.o.Mode == Off || c.SignUp == "" {
		return s.o.Mode
	}
	return c.SignUp
}

// ModeOf is Mode for the client with an ID; "": none.
func (s *SignUps) ModeOf(ctx context.Context, id storage.ClientID) (string, error) {
	c, err := s.client(ctx, id)
	return s.Mode(c), err
}

// methods returns what a new user can set up: what the client allows. With anything else they could not
// sign in there. One is left: a list without a first factor restricts second ones only.
func (s *SignUps) methods(c storage.Client) []string {
	rules := mfa.Rules{Policy: mfa.Policy{Methods: c.AllowedMethods}, Methods: s.o.Methods}
	var out []string
	for _, name := range []string{password.Name, s.passkey()} {
		if i := slices.IndexFunc(s.o.Methods, func(i mfa.Info) bool { return i.Name == name }); i >= 0 && rules.Allows(s.o.Methods[i]) {
			out = append(out, name)
		}
	}
	return out
}

// passkey returns the name of the method of Options.Passkeys; "": there is none.
func (s *SignUps) passkey() string {
	if s.o.Passkeys == nil {
		return ""
	}
	return s.o.Passkeys.Info().Name
}

// terms returns the terms of use of a client: its own, else the server's.
func (s *SignUps) terms(c storage.Client) Terms {
	if c.TermsVersion == "" {
		return s.o.Terms
	}
	return Terms{Client: c.ID, URL: c.TermsURL, Version: c.TermsVersion}
}

// client returns a client, or a zero one for an ID that no enabled client has.
func (s *SignUps) client(ctx context.Context, id storage.ClientID) (storage.Client, error) {
	if id == "" {
		return storage.Client{}, nil
	}
	c, err := s.o.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || mfa.CodeOf(err) != "" || err == nil && c.Disabled {
		return storage.Client{}, nil
	}
	return c, mfa.Wrap("read client", err)
}

// state is the Data of a ticket. Of an invitation it has Request and Client at most.
type state struct {
	Address string            `json:"address,omitempty"` // as typed
	User    storage.UserID    `json:"user,omitempty"`    // ID of the user to create
	Request storage.RequestID `json:"request,omitempty"` // the login that the reader came from
	Asker   string            `json:"asker,omitempty"`   // who asked (ticket.Asker)
}

// Field is a claim that a client asks for.
type Field struct {
	Name, Value string
	Required    bool
}

// Opened is a valid link, and what its reader is asked for.
type Opened struct {
	Link    string
	Purpose string
	Name    string // the proven address
	Inviter string // name of who invited; "": none was given
	Return  ticket.Return
	Fields  []Field
	Terms   Terms
	// ExpiresAt is when the link expires.
	ExpiresAt time.Time
	// Methods are what the reader can set up, of which one is needed: what the client allows.
	Methods []string

	ticket  storage.Ticket
	asker   string
	address storage.Identifier
	pending *storage.Account     // nil: the user does not exist yet
	over    []storage.Identifier // a name of another user that gives way
}

// Password reports whether the reader can set up a password.
func (o Opened) Password() bool { return slices.Contains(o.Methods, password.Name) }

// Open returns what a link allows. It changes nothing. InvalidExchange: the link expired, was
// used, or never existed, or its address has become that of a user.
func (s *SignUps) Open(ctx context.Context, purpose, link string) (Opened, error) {
	t, err := s.store.TicketByLink(ctx, purpose, link)
	if err != nil {
		return Opened{Purpose: purpose}, mfa.Refuse("read ticket", err, storage.ErrNotFound, mfa.InvalidExchange)
	}
	return s.opened(ctx, t)
}

func (s *SignUps) opened(ctx context.Context, t storage.Ticket) (Opened, error) {
	gone := &mfa.Error{Code: mfa.InvalidExchange}
	o := Opened{Link: t.Link, Purpose: t.Purpose, ExpiresAt: t.ExpiresAt, ticket: t, Return: ticket.Return{Client: t.ClientID}}
	if !t.Valid(s.now()) {
		return o, gone
	}
	var st state
	if len(t.Data) > 0 {
		if err := json.Unmarshal(t.Data, &st); err != nil {
			return o, fmt.Errorf("read ticket: %w", err)
		}
	}
	o.Return.Request, o.asker = st.Request, st.Asker
	c, err := s.client(ctx, t.ClientID)
	if err != nil {
		return o, err
	}
	found := false
	if t.Purpose == Invitation {
		found, err = s.invited(ctx, &o)
	} else {
		found, err = s.proven(ctx, &o, st, s.Mode(c))
	}
	if err != nil {
		return o, err
	}
	if !found {
		return o, gone
	}
	o.Name, o.Fields, o.Terms, o.Methods = o.address.Text(), fieldsOf(c, o.pending), s.terms(c), s.methods(c)
	return o, nil
}

// invited finds the pending user of an invitation.
func (s *SignUps) invited(ctx context.Context, o *Opened) (bool, error) {
	a, err := s.store.Account(ctx, o.ticket.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read user: %w", err)
	}
	i := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool { return i.ID == o.ticket.Identifier })
	if a.User.Status != storage.UserPending || i < 0 {
		return false, nil
	}
	list, err := s.store.ListInvitations(ctx, storage.InvitationFilter{Now: s.now(), User: a.User.ID, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("read invitation: %w", err)
	}
	if len(list) > 0 {
		o.Inviter = list[0].Inviter
	}
	o.address, o.pending = a.Identifiers[i], &a
	return true, nil
}

// proven finds whom the proof of an address makes a user.
func (s *SignUps) proven(ctx context.Context, o *Opened, st state, mode string) (bool, error) {
	i, err := mfa.Identify(st.Address)
	if err != nil {
		return false, fmt.Errorf("read ticket: %w", err)
	}
	h, err := s.holder(ctx, i)
	if err != nil || h.taken || mode == Off || mode == Invited && h.pending == nil {
		return false, err
	}
	if o.pending, o.over = h.pending, h.over; h.pending != nil {
		o.address = h.address
		return true, nil
	}
	now := s.now()
	i.ID, i.UserID = storage.IdentifierID(storage.TimeOrdered(now, s.random)), st.User
	o.address = i
	return true, nil
}

// holder is who has an address.
type holder struct {
	account *storage.Account // nil: nobody
	address storage.Identifier
	taken   bool                 // the account keeps it
	pending *storage.Account     // the account is pending: it is of whoever proves the address
	over    []storage.Identifier // the account has not proven it, and loses it
}

// holder returns who has an address. A disabled user keeps one that nobody has proven, and a pending
// one who has proven an address is no stranger's: signing up again must not end what an administrator
// decided.
func (s *SignUps) holder(ctx context.Context, i storage.Identifier) (holder, error) {
	a, err := s.store.AccountByIdentifier(ctx, i.Value, s.now())
	if errors.Is(err, storage.ErrNotFound) {
		return holder{}, nil
	}
	if err != nil {
		return holder{}, fmt.Errorf("read user: %w", err)
	}
	h := holder{account: &a}
	if at := slices.IndexFunc(a.Identifiers, func(x storage.Identifier) bool { return x.Value == i.Value }); at >= 0 {
		h.address = a.Identifiers[at]
	}
	proven := slices.ContainsFunc(a.Identifiers, func(x storage.Identifier) bool { return !x.VerifiedAt.IsZero() })
	switch {
	case a.User.Status == storage.UserPending && !proven:
		h.pending = &a
	case a.User.In() && h.address.VerifiedAt.IsZero():
		h.over = []storage.Identifier{h.address}
	default:
		h.taken = true
	}
	return h, nil
}

// sameBrowser reports whether the caller's browser is the one that asked.
func sameBrowser(caller mfa.Caller, asker string) bool {
	return caller.Browser != "" && seal.Equal(asker, ticket.Asker(caller, ""))
}

// fieldsOf returns what a client asks a new user for, with what is known of a pending one.
func fieldsOf(c storage.Client, pending *storage.Account) []Field {
	var out []Field
	for _, name := range storage.SignUpClaims() {
		required := slices.Contains(c.SignUpRequired, name)
		if !required && !slices.Contains(c.SignUpOptional, name) {
			continue
		}
		f := Field{Name: name, Required: required}
		if pending != nil {
			f.Value, _ = pending.User.Profile[name].(string)
		}
		out = append(out, f)
	}
	return out
}
