package users

import (
	"context"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// Keeper returns the user for whom a canonical user name is kept. IdentifierNotFound: it is kept for
// nobody.
func (u *Registry) Keeper(ctx context.Context, name string) (storage.Account, error) {
	a, err := u.store.AccountByRetired(ctx, name, u.now())
	return a, mfa.Refuse("read user", err, storage.ErrNotFound, mfa.IdentifierNotFound)
}

// FreeUsername ends the time for which a user name is kept for the user who gave it up, so that
// anybody can have it, and returns that user. IdentifierNotFound: it is kept for nobody.
// RequestChanged: its user changed meanwhile.
func (u *Registry) FreeUsername(ctx context.Context, v mfa.Caller, typed string) (storage.UserID, error) {
	name, _, err := mfa.Canonical(typed)
	if err != nil {
		return "", &mfa.Error{Code: mfa.IdentifierNotFound, Err: err}
	}
	a, err := u.Keeper(ctx, name)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(a.Retired, func(i storage.Identifier) bool { return i.Value == name })
	c := storage.UserChange{ID: a.User.ID, Was: a.User.UpdatedAt, Now: a.User.Next(u.now()), Names: &storage.NamesChange{Drop: []storage.IdentifierID{a.Retired[at].ID}},
		Events: []storage.Event{u.changeEvent(v, a, "user name freed")}}
	return a.User.ID, mfa.Refuse("free user name", u.store.UpdateUser(ctx, c), storage.ErrConflict, mfa.RequestChanged)
}
