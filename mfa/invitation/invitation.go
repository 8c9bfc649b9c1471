// Package invitation invites people: administrators create a pending user, and the person accepts
// the account by the link of a message.
//
// The link ends after its time. A user that an invitation created and nobody touched is removed
// with it: when an administrator revokes it, or some time after it expired (Run).
package invitation

import (
	"context"
	"errors"
	"io"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/audit"
	"sallyport/mfa/users"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// Refusals. Their texts are for operators.
var (
	ErrNotFound = errors.New("there is no such invitation; it was revoked, or it expired long ago")
	ErrActive   = errors.New("a user who has this address signs in already, or may not: only a pending user is invited")
	ErrNoMail   = errors.New("the server sends no mail: ask for the link, and hand it over yourself")
	ErrAccepted = errors.New("it was accepted")
	ErrChanged  = errors.New("it changed in the meantime; look again")
)

// grace is how long an invitation that expired is kept, so that it can be sent again and its links
// say what became of them.
const grace = storage.KeepTicket

// Store is the part of storage that a Registry uses.
type Store interface {
	storage.Invitations
	Account(ctx context.Context, id storage.UserID) (storage.Account, error)
	AccountByIdentifier(ctx context.Context, value string, now time.Time) (storage.Account, error)
	SearchUsers(ctx context.Context, s storage.UserSearch) (storage.UsersFound, error)
}

// Options configure a Registry.
type Options struct {
	Product string
	Page    string        // address of the page that the secret of a link is appended to
	Life    time.Duration // of a link
	Mail    bool          // mail is sent
}

// Registry are the invitations as administrators see them.
type Registry struct {
	store   Store
	users   *users.Registry
	keyring *seal.Keyring
	journal *audit.Journal
	now     func() time.Time
	random  io.Reader
	o       Options
}

// New returns a Registry.
func New(store Store, u *users.Registry, keyring *seal.Keyring, journal *audit.Journal, now func() time.Time, random io.Reader, o Options) *Registry {
	return &Registry{store: store, users: u, keyring: keyring, journal: journal, now: now, random: random, o: o}
}

// Draft is an invitation to make.
type Draft struct {
	Email   string
	Roles   []string
	Profile map[string]any
	Client  storage.ClientID // of the application to lead to; "": none
	Inviter string           // name of who invites, for the person to read; "": none
	Hand    Hand
}

// Hand says how a link reaches the person.
type Hand struct {
	// Link returns the link to the administrator, who hands it over. No message is sent.
	Link bool
	// Application is the name of the Client, for the message; "": none.
	Application string
}

// Invited is an invitation with its user.
type Invited struct {
	storage.Invitation
	Account storage.Account
	State   storage.InvitationState
}

// Email returns the address that was invited; "": the user has it no more.
func (i Invited) Email() string {
	if n := i.address(); n != nil {
		return n.Text()
	}
	return ""
}

func (i Invited) address() *storage.Identifier {
	for k, n := range i.Account.Identifiers {
		if n.ID == i.Identifier {
			return &i.Account.Identifiers[k]
		}
	}
	return nil
}

// Made is what Invite and Resend did.
type Made struct {
	Invited
	Link  string // "": it was sent to the person
	Again bool   // the user was pending already, and stays as they are but for the new link
}

// Invite creates a pending user and sends them a link. If a pending user has the address already,
// they get another link there and stay as they are, whether or not they accepted one before. ErrActive: another user has the address. It returns
// the refusals of users.Registry.New, ErrNoMail and TooManyMessages.
func (r *Registry) Invite(ctx context.Context, v mfa.Caller, d Draft) (Made, error) {
	if !r.o.Mail && !d.Hand.Link {
		return Made{}, ErrNoMail
	}
	n, err := r.users.New(ctx, v, users.Draft{Email: d.Email, Roles: d.Roles, Profile: d.Profile, Status: storage.UserPending})
	if err != nil {
		return Made{}, err
	}
	// Another administrator may create the same user, invite them or revoke that in between.
	for range 3 {
		var m Made
		m, err = r.invite(ctx, v, d, n)
		if err = refusal("invite", r.now(), err); !errors.Is(err, storage.ErrConflict) {
			return m, err
		}
	}
	return Made{}, ErrChanged
}

func (r *Registry) invite(ctx context.Context, v mfa.Caller, d Draft, n storage.NewUser) (Made, error) {
	address := n.Identifiers[0]
	a, err := r.store.AccountByIdentifier(ctx, address.Value, r.now())
	if errors.Is(err, storage.ErrNotFound) {
		a = storage.Account{User: n.User, Identifiers: n.Identifiers}
		return r.create(ctx, v, d, a, address, &n)
	}
	if err != nil {
		return Made{}, err
	}
	if a.User.Status != storage.UserPending {
		return Made{}, ErrActive
	}
	list, err := r.store.ListInvitations(ctx, storage.InvitationFilter{Now: r.now(), User: a.User.ID, Limit: 1})
	if err != nil {
		return Made{}, err
	}
	for _, own := range a.Identifiers {
		if own.Value == address.Value {
			address = own
		}
	}
	if len(list) > 0 {
		return r.renew(ctx, v, Invited{Invitation: list[0], Account: a}, address, d.Hand)
	}
	m, err := r.create(ctx, v, d, a, address, nil)
	m.Again = true
	return m, err
}

// create stores a new invitation, with its user if there is one to create.
func (r *Registry) create(ctx context.Context, v mfa.Caller, d Draft, a storage.Account, address storage.Identifier, user *storage.NewUser) (Made, error) {
	now := r.now()
	i := storage.Invitation{ID: storage.InvitationID(storage.TimeOrdered(now, r.random)), UserID: a.User.ID, Identifier: address.ID, Actor: v.Actor, Inviter: d.Inviter,
		ClientID: d.Client, Created: user != nil, Sent: 1, CreatedAt: now, SentAt: now, ExpiresAt: now.Add(r.o.Life)}
	m := Made{Invited: Invited{Invitation: i, Account: a, State: storage.InvitationPending}}
	t := r.ticket(v, &m, address, mfa.EventUserInvited, d.Hand)
	return m, r.store.CreateInvitation(ctx, storage.NewInvitation{Invitation: i, User: user, Ticket: t}, now)
}

// Resend makes another link, which lives as long as the first did. Earlier ones stay valid until
// they expire. ErrAccepted: the user is not pending any more. IdentifierNotFound: the address is gone.
func (r *Registry) Resend(ctx context.Context, v mfa.Caller, id storage.InvitationID, h Hand) (Made, error) {
	i, err := r.Get(ctx, id)
	switch {
	case err != nil:
		return Made{}, err
	case i.Account.User.Status == storage.UserPending: // perhaps again
	case i.State == storage.InvitationAccepted:
		return Made{}, ErrAccepted
	default:
		return Made{}, ErrActive
	}
	if !r.o.Mail && !h.Link {
		return Made{}, ErrNoMail
	}
	address := i.address()
	if address == nil {
		return Made{}, &mfa.Error{Code: mfa.IdentifierNotFound}
	}
	m, err := r.renew(ctx, v, i, *address, h)
	if err = refusal("resend invitation", r.now(), err); errors.Is(err, storage.ErrConflict) {
		err = ErrChanged
	}
	return m, err
}

func (r *Registry) renew(ctx context.Context, v mfa.Caller, i Invited, address storage.Identifier, h Hand) (Made, error) {
	now := r.now()
	i.Identifier, i.Sent, i.SentAt, i.ExpiresAt = address.ID, i.Sent+1, now, now.Add(r.o.Life)
	i.AcceptedAt, i.State = time.Time{}, storage.InvitationPending
	m := Made{Invited: i, Again: true}
	t := r.ticket(v, &m, address, mfa.EventInvitationResent, h)
	return m, r.store.RenewInvitation(ctx, i.ID, t, now)
}

// refusal turns what storage refused into a refusal; another conflict stays one.
func refusal(operation string, now time.Time, err error) error {
	if refused, ok := errors.AsType[*storage.RefusedError](err); ok {
		return &mfa.Error{Code: mfa.TooManyMessages, RetryAfter: max(refused.Until.Sub(now), time.Second)}
	}
	return mfa.Wrap(operation, err)
}

// Revoke ends an invitation and its links. removed: it created the user, who is gone with it as
// nothing was added since.
func (r *Registry) Revoke(ctx context.Context, v mfa.Caller, id storage.InvitationID) (i Invited, removed bool, err error) {
	if i, err = r.Get(ctx, id); err != nil {
		return i, false, err
	}
	if i.State == storage.InvitationAccepted {
		return i, false, ErrAccepted
	}
	removed, err = r.end(ctx, v, i.Invitation, mfa.EventInvitationRevoked, time.Time{})
	if errors.Is(err, storage.ErrConflict) {
		err = ErrChanged
	}
	return i, removed, mfa.Wrap("revoke invitation", err)
}

func (r *Registry) end(ctx context.Context, v mfa.Caller, i storage.Invitation, kind string, expired time.Time) (bool, error) {
	return r.store.EndInvitation(ctx, storage.InvitationEnd{Invitation: i, Expired: expired, Now: r.now(),
		Events:  []storage.Event{r.event(v, kind, i)},
		Removal: []storage.Event{r.journal.Event(v, storage.Event{Kind: mfa.EventUserDeleted, UserID: i.UserID})}})
}

// Get returns an invitation, and ErrNotFound if there is none.
func (r *Registry) Get(ctx context.Context, id storage.InvitationID) (Invited, error) {
	if id == "" {
		return Invited{}, ErrNotFound
	}
	list, err := r.List(ctx, storage.InvitationFilter{ID: id, Limit: 1})
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Invited{}, err
	}
	return list[0], nil
}

// List returns invitations, newest first.
func (r *Registry) List(ctx context.Context, f storage.InvitationFilter) ([]Invited, error) {
	f.Now = r.now()
	list, err := r.store.ListInvitations(ctx, f)
	if err != nil || len(list) == 0 {
		return nil, mfa.Wrap("list invitations", err)
	}
	of := storage.UserSearch{Limit: len(list), Now: f.Now}
	for _, i := range list {
		of.IDs = append(of.IDs, i.UserID)
	}
	found, err := r.store.SearchUsers(ctx, of)
	if err != nil {
		return nil, mfa.Wrap("read users", err)
	}
	accounts := map[storage.UserID]storage.Account{}
	for _, a := range found.Accounts {
		accounts[a.User.ID] = a
	}
	out := make([]Invited, 0, len(list))
	for _, i := range list {
		out = append(out, Invited{Invitation: i, Account: accounts[i.UserID], State: i.State(f.Now)})
	}
	return out, nil
}

// event names the invitation, not its address: an audit trail holds no names.
func (r *Registry) event(v mfa.Caller, kind string, i storage.Invitation) storage.Event {
	return r.journal.Event(v, storage.Event{Kind: kind, UserID: i.UserID, ClientID: i.ClientID, Detail: map[string]string{"invitation": string(i.ID)}})
}
