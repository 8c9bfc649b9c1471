package backend

import (
	"context"
	"errors"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// address is an e-mail address or phone number.
type address struct {
	kind  storage.IdentifierKind
	value string // canonical
	shown string // as storage.Identifier.Shown
}

// newAddress returns the canonical form of an address to look up. InvalidIdentifier (as
// AddressError).
func newAddress(kind storage.IdentifierKind, typed string) (address, error) {
	i, err := mfa.Identify(typed)
	if err == nil && i.Kind != kind {
		err = &mfa.Error{Code: mfa.InvalidIdentifier}
	}
	if err != nil {
		return address{}, &AddressError{Kind: kind, Err: err}
	}
	return address{kind, i.Value, i.Shown}, nil
}

// checkNew returns InvalidIdentifier (as AddressError) for an address that users cannot get.
func (a address) checkNew() error {
	if err := mfa.CheckNew(a.kind, a.value); err != nil {
		return &AddressError{Kind: a.kind, Err: err}
	}
	return nil
}

// addresses returns the canonical forms, each once. Errors as newAddress.
func addresses(emails, phones []string) ([]address, error) {
	var out []address
	for _, x := range []struct {
		kind  storage.IdentifierKind
		typed []string
	}{{storage.Email, emails}, {storage.Phone, phones}} {
		for _, typed := range x.typed {
			a, err := newAddress(x.kind, typed)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(out, func(b address) bool { return b.value == a.value }) {
				out = append(out, a)
			}
		}
	}
	return out, nil
}

// listed returns a list of a value that is given.
func listed(typed string) []string {
	if typed == "" {
		return nil
	}
	return []string{typed}
}

// newIdentifier returns an unverified identifier of a user. InvalidIdentifier (as AddressError).
func (s *Service) newIdentifier(user storage.UserID, a address, expires time.Time) (storage.Identifier, error) {
	if err := a.checkNew(); err != nil {
		return storage.Identifier{}, err
	}
	now := s.now()
	return storage.Identifier{ID: storage.IdentifierID(storage.TimeOrdered(now, s.random)), UserID: user, Kind: a.kind, Value: a.value, Shown: a.shown,
		ExpiresAt: expires, CreatedAt: now, UpdatedAt: now}, nil
}

// adding returns the change that gives an account the addresses that it does not have, and
// keeps those that would expire. Errors as newIdentifier.
func (s *Service) adding(a storage.Account, list []address) (storage.NamesChange, error) {
	var c storage.NamesChange
	for _, x := range list {
		at := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool { return i.Value == x.value })
		switch {
		case at < 0:
			i, err := s.newIdentifier(a.User.ID, x, time.Time{})
			if err != nil {
				return storage.NamesChange{}, err
			}
			c.Add = append(c.Add, i)
		case !a.Identifiers[at].ExpiresAt.IsZero():
			c.Keep = append(c.Keep, a.Identifiers[at].ID)
		}
	}
	return c, nil
}

// Other changes of the same user that one change gives way to.
const attempts = 50

// attach calls change, which gives addresses to a user ("": a new one). If another change was
// first, it calls change again, unless an address belongs to another user now: IdentifierTaken
// (as AddressError).
func (s *Service) attach(ctx context.Context, user storage.UserID, list []address, change func() error) error {
	for range attempts {
		err := change()
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
		for _, x := range list {
			a, err := s.store.AccountByIdentifier(ctx, x.value, s.now())
			if err == nil && a.User.ID != user {
				return &AddressError{Kind: x.kind, Err: &mfa.Error{Code: mfa.IdentifierTaken}}
			}
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return mfa.Wrap("read user", err)
			}
		}
	}
	return &mfa.Error{Code: mfa.Busy, RetryAfter: time.Second}
}

// DeleteIdentifier removes an e-mail address or phone number by its ID and returns its user.
// IdentifierNotFound (as AddressError).
func (s *Service) DeleteIdentifier(ctx context.Context, caller mfa.Caller, kind storage.IdentifierKind, id storage.IdentifierID) (storage.Account, error) {
	a, err := s.store.AccountByIdentifierID(ctx, id, s.now())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return storage.Account{}, mfa.Wrap("read user", err)
	}
	at := slices.IndexFunc(a.Identifiers, func(i storage.Identifier) bool { return i.ID == id && i.Kind == kind })
	if at < 0 {
		return storage.Account{}, &AddressError{Kind: kind, Err: &mfa.Error{Code: mfa.IdentifierNotFound}}
	}
	err = s.users.RemoveIdentifier(ctx, caller, a, id)
	if mfa.CodeOf(err) == mfa.IdentifierNotFound {
		err = &AddressError{Kind: kind, Err: err}
	}
	if err != nil {
		return storage.Account{}, err
	}
	return s.User(ctx, a.User.ID)
}
