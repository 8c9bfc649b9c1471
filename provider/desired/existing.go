package desired

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// existing finds the existing user of a user in the file, by id or by any name. If it is
// ambiguous, ok is false and faults are reported.
func (p *planner) existing(ctx context.Context, u *User, i int) (account *storage.Account, ok bool, err error) {
	ok = true
	path := fmt.Sprintf("users[%d]", i)
	fault := func(key, text string) { p.fault(path+"."+key, text); ok = false }
	if u.ID != "" {
		a, err := p.Store.Account(ctx, storage.UserID(u.ID))
		switch {
		case err == nil:
			account = &a
		case !errors.Is(err, storage.ErrNotFound):
			return nil, false, fmt.Errorf("read user: %w", err)
		}
	}
	var found []named
	for _, n := range namesOf(u) {
		a, err := p.Users.Named(ctx, n.name)
		if mfa.CodeOf(err) == mfa.UserNotFound {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		found = append(found, n)
		switch {
		case account == nil && u.ID != "":
			fault(n.key, fmt.Sprintf("user %s has this name, and another id", a.User.ID))
		case account == nil:
			account = &a
		case account.User.ID != a.User.ID:
			fault(n.key, fmt.Sprintf("user %s has this name, and is another user than %s", a.User.ID, account.User.ID))
		}
	}
	if other, twice := p.seen[accountID(account, u)]; twice && other != i {
		p.fault(path, fmt.Sprintf("is the same user as users[%d]", other))
		return nil, false, nil
	}
	if u.ID != "" {
		p.seen[storage.UserID(u.ID)] = i
	}
	if !ok || p.o.Single != Whole { // a record of its own is new, or has an id
		return account, ok, nil
	}
	if u.ID == "" && account != nil && p.UsernamesEditable && perhapsChosen(*account, found) {
		fault("username", fmt.Sprintf("user %s has this name, and perhaps chose it: give the id", account.User.ID))
	}
	keeper, err := p.keeper(ctx, u)
	if err == nil && keeper != "" && keeper != accountID(account, u) {
		fault("username", fmt.Sprintf("is kept for user %s, who gave it up: give that id, or run user free-username", keeper))
	}
	return account, ok, err
}

// keeper returns the user for whom the user name of a user in the file is kept; "": nobody.
func (p *planner) keeper(ctx context.Context, u *User) (storage.UserID, error) {
	for _, n := range namesOf(u) {
		if n.key != "username" {
			continue
		}
		a, err := p.Users.Keeper(ctx, n.name)
		if mfa.CodeOf(err) == mfa.IdentifierNotFound {
			return "", nil
		}
		return a.User.ID, err
	}
	return "", nil
}

// perhapsChosen reports whether an account was found by nothing but a user name that its user may
// have chosen, to become the user of that name in a file. A name as old as the account was not
// chosen: users choose one on the account page.
func perhapsChosen(a storage.Account, found []named) bool {
	chosen := false
	for _, n := range found {
		for _, i := range a.Identifiers {
			switch {
			case i.Value != n.name || i.VerifiedAt.IsZero():
			case i.Kind == storage.Username && !i.VerifiedAt.Equal(a.User.CreatedAt):
				chosen = true
			default:
				return false
			}
		}
	}
	return chosen
}

func accountID(a *storage.Account, u *User) storage.UserID {
	if a != nil {
		return a.User.ID
	}
	return storage.UserID(u.ID)
}
