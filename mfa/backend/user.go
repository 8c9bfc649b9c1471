package backend

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/storage"
)

// Draft describes a user to create. It has an e-mail address, a phone number, or both.
type Draft struct {
	Email, Phone string
	Name         Name
	Pending      bool // until the first proof
	Metadata     Metadata
}

// CreateUser creates a user. InvalidIdentifier, IdentifierTaken (both as AddressError),
// InvalidRequest without an address or for a name or metadata that is too large.
func (s *Service) CreateUser(ctx context.Context, caller mfa.Caller, d Draft) (storage.Account, error) {
	list, err := addresses(listed(d.Email), listed(d.Phone))
	if err != nil {
		return storage.Account{}, err
	}
	if len(list) == 0 {
		return storage.Account{}, invalid("a user needs an e-mail address or a phone number")
	}
	for _, x := range list {
		if err := x.checkNew(); err != nil {
			return storage.Account{}, err
		}
	}
	n := users.Draft{Email: d.Email, Phone: d.Phone, Status: storage.UserActive}
	if d.Pending {
		n.Status = storage.UserPending
	}
	if n.Profile, err = d.Name.merged(nil); err != nil {
		return storage.Account{}, err
	}
	if n.Metadata, err = d.Metadata.encoded(); err != nil {
		return storage.Account{}, err
	}
	var user storage.User
	err = s.attach(ctx, "", list, func() error {
		var err error
		if user, err = s.users.Create(ctx, caller, n); mfa.CodeOf(err) == mfa.IdentifierTaken {
			return storage.ErrConflict
		}
		return err
	})
	if err != nil {
		return storage.Account{}, err
	}
	return s.User(ctx, user.ID)
}

// User returns a user; UserNotFound.
func (s *Service) User(ctx context.Context, id storage.UserID) (storage.Account, error) {
	a, err := s.users.Account(ctx, id)
	return s.current(a), err
}

// current drops expired identifiers, which are not swept yet.
func (s *Service) current(a storage.Account) storage.Account {
	a.Identifiers = slices.DeleteFunc(a.Identifiers, func(i storage.Identifier) bool { return s.expired(i) })
	return a
}

func (s *Service) expired(i storage.Identifier) bool {
	return !i.ExpiresAt.IsZero() && !i.ExpiresAt.After(s.now())
}

// Change is a change of a user. Addresses are added, never removed; those of the user already
// are kept. Metadata is merged key by key; null removes a key.
type Change struct {
	Name           Name
	Trusted        map[string]json.RawMessage
	Untrusted      map[string]json.RawMessage
	ExternalID     *string
	Emails, Phones []string
}

// ChangeUser changes a user, completely or not at all. It returns the user and the identifiers
// that the change names.
//
// UserNotFound; InvalidIdentifier, IdentifierTaken (both as AddressError); InvalidRequest for a
// name or metadata that is too large; Busy: too many other changes of the user at once.
func (s *Service) ChangeUser(ctx context.Context, caller mfa.Caller, id storage.UserID, c Change) (storage.Account, []storage.Identifier, error) {
	list, err := addresses(c.Emails, c.Phones)
	if err != nil {
		return storage.Account{}, nil, err
	}
	err = s.attach(ctx, id, list, func() error { return s.change(ctx, caller, id, c, list) })
	if err != nil {
		return storage.Account{}, nil, err
	}
	a, err := s.User(ctx, id)
	if err != nil {
		return storage.Account{}, nil, err
	}
	var named []storage.Identifier
	for _, x := range list {
		for _, i := range a.Identifiers {
			if i.Value == x.value {
				named = append(named, i)
			}
		}
	}
	return a, named, nil
}

// change changes the user as it is now. Its errors are those of attach.
func (s *Service) change(ctx context.Context, caller mfa.Caller, id storage.UserID, c Change, list []address) error {
	a, err := s.User(ctx, id)
	if err != nil {
		return err
	}
	u := storage.UserChange{ID: id, Was: a.User.UpdatedAt, Now: a.User.Next(s.now())}
	if c.Name != (Name{}) {
		if u.Profile, err = c.Name.merged(a.User.Profile); err != nil {
			return err
		}
	}
	if c.Trusted != nil || c.Untrusted != nil || c.ExternalID != nil {
		if u.Metadata, err = MetadataOf(a.User).merged(c).encoded(); err != nil {
			return err
		}
	}
	names, err := s.adding(a, list)
	if err != nil {
		return err
	}
	if len(names.Add)+len(names.Keep) > 0 {
		u.Names = &names
	}
	if u.Profile == nil && u.Metadata == nil && u.Names == nil {
		return nil
	}
	u.Events = []storage.Event{s.journal.Event(caller, storage.Event{Kind: mfa.EventUserChanged, UserID: id, Detail: map[string]string{"change": "amended"}})}
	err = s.store.UpdateUser(ctx, u)
	if errors.Is(err, storage.ErrConflict) {
		return err
	}
	return mfa.Refuse("change user", err, storage.ErrNotFound, mfa.UserNotFound)
}

// DeleteUser deletes a user with everything that belongs to it. UserNotFound.
func (s *Service) DeleteUser(ctx context.Context, caller mfa.Caller, id storage.UserID) error {
	a, err := s.users.Account(ctx, id)
	if err != nil {
		return err
	}
	return s.users.Delete(ctx, caller, a)
}

func invalid(text string) error {
	return &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New(text)}
}
