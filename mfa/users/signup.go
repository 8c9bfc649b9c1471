package users

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/password"
	"sallyport/storage"
)

// SignUp is what a person who has proven an e-mail address, with a ticket, becomes a user with.
type SignUp struct {
	// Address is the proven one, with its user, who is Pending or, for a new user, not stored yet.
	Address storage.Identifier
	Pending *storage.Account // nil: there is no such user
	Over    []storage.IdentifierID
	Profile map[string]any // added to that of a pending user
	Terms   storage.Terms  // zero: none are accepted
	// Password is hashed here; or Passkey is confirmed, without ID, user and times.
	Password string
	Passkey  *storage.Authenticator
	Ticket   storage.TicketSpend
	Events   []storage.Event // after those of the user
}

// SignUp creates the user, or turns a pending one into an active one, with the proven address and the
// password or passkey, which it returns, and spends the ticket. Whatever was begun, set up or allowed for a pending
// user before ends: nobody can wait in an account for its owner. It returns the errors of
// password.Method.Check, and InvalidExchange if the ticket is not valid any more or another change
// came first.
func (u *Registry) SignUp(ctx context.Context, v mfa.Caller, s SignUp) (storage.Authenticator, error) {
	now := u.now()
	if s.Pending != nil {
		now = s.Pending.User.Next(now)
		profile := maps.Clone(s.Pending.User.Profile)
		if profile == nil {
			profile = map[string]any{}
		}
		maps.Copy(profile, s.Profile)
		s.Profile = profile
	}
	first, err := u.firstAuthenticator(ctx, v, s)
	if err != nil {
		return first, err
	}
	first = u.completeAuthenticator(first, s.Address.UserID, "login", now)
	events := u.signUpEvents(v, s, first)
	if s.Pending == nil {
		s.Address.VerifiedAt, s.Address.CreatedAt, s.Address.UpdatedAt = now, now, now
		err = u.store.CreateUser(ctx, storage.NewUser{
			User:        storage.User{ID: s.Address.UserID, Status: storage.UserActive, Profile: s.Profile, Terms: s.Terms, CreatedAt: now, UpdatedAt: now},
			Identifiers: []storage.Identifier{s.Address}, Authenticators: []storage.Authenticator{first}, Over: s.Over, Ticket: &s.Ticket, Events: events})
	} else {
		err = u.store.UpdateUser(ctx, claim(s, first, events, now))
	}
	if errors.Is(err, storage.ErrNotFound) {
		err = storage.ErrConflict // the pending user is gone
	}
	return first, mfa.Refuse("sign up", err, storage.ErrConflict, mfa.InvalidExchange)
}

func (u *Registry) firstAuthenticator(ctx context.Context, v mfa.Caller, s SignUp) (storage.Authenticator, error) {
	if s.Passkey != nil {
		return *s.Passkey, nil
	}
	if err := u.password.Check(s.Password, password.Words([]string{s.Address.Text()}, s.Profile)...); err != nil {
		return storage.Authenticator{}, err
	}
	hash, err := u.password.Hash(ctx, mfa.Place{From: v.Network()}, s.Password)
	if err != nil {
		return storage.Authenticator{}, fmt.Errorf("hash password: %w", err)
	}
	return storage.Authenticator{Method: password.Name, Secret: []byte(hash)}, nil
}

func (u *Registry) signUpEvents(v mfa.Caller, s SignUp, first storage.Authenticator) []storage.Event {
	user := s.Address.UserID
	add := func(kind string, detail map[string]string) storage.Event {
		return u.journal.Event(v, storage.Event{Kind: kind, UserID: user, Detail: detail})
	}
	out := []storage.Event{add(mfa.EventUserSignedUp, map[string]string{"by": s.Ticket.Purpose}), add(mfa.EventAddressVerified, map[string]string{"kind": string(s.Address.Kind)})}
	if s.Pending == nil {
		out = append([]storage.Event{add(mfa.EventUserCreated, nil)}, out...)
	}
	if first.Method == password.Name {
		out = append(out, add(mfa.EventPasswordChanged, map[string]string{"reason": s.Ticket.Purpose}))
	} else {
		out = append(out, u.factorEvent(v, mfa.EventFactorEnrolled, first))
	}
	if s.Terms.Version != "" {
		accepted := add(mfa.EventTermsAccepted, map[string]string{"version": s.Terms.Version, "url": s.Terms.URL})
		accepted.ClientID = s.Terms.Client
		out = append(out, accepted)
	}
	return append(out, s.Events...)
}

// claim returns the change that makes a pending user active. Names that nobody has proven go: who has
// them could prove them later, and sign in.
func claim(s SignUp, first storage.Authenticator, events []storage.Event, now time.Time) storage.UserChange {
	a, active := s.Pending, storage.UserActive
	names := storage.NamesChange{Verify: []storage.IdentifierID{s.Address.ID}, Over: s.Over}
	for _, i := range a.Identifiers {
		if i.ID != s.Address.ID && i.VerifiedAt.IsZero() {
			names.Drop = append(names.Drop, i.ID)
		}
	}
	factors := storage.FactorsChange{Add: []storage.Authenticator{first}}
	for _, x := range a.Authenticators {
		if !slices.Contains(factors.Drop, x.Method) {
			factors.Drop = append(factors.Drop, x.Method)
		}
	}
	c := storage.UserChange{ID: a.User.ID, Was: a.User.UpdatedAt, Now: now, Status: &active, Profile: s.Profile, Kill: true,
		Names: &names, Factors: &factors, Ticket: &s.Ticket, Events: events}
	if s.Terms.Version != "" {
		c.Terms = &s.Terms
	}
	return c
}
