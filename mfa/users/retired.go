package users

import (
	"context"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// FreeUsername ends the time for which a user name is kept for the user who gave it up, so that
// anybody can have it, and returns that user. IdentifierNotFound: it is kept for nobody.
// RequestChanged: its user changed meanwhile.
func (u *Registry) FreeUsername(ctx context.Context, v mfa.Caller, typed string) (storage.UserID, error) {
	name, _, err := mfa.Canonical(typed)
	if err != nil {
		return "", &mfa.Error{Code: mfa.IdentifierNotFound, Err: err}
	}
	a, err := u.store.AccountByRetired(ctx, name, u.now())
	if err != nil {
		return "", mfa.Refuse("read user", err, storage.ErrNotFound, mfa.IdentifierNotFound)
	}
	at := slices.IndexFunc(a.Retired, func(i storage.Identifier) bool { return i.Value == name })
	c := storage.UserChange{ID: a.User.ID, Was: a.User.UpdatedAt, Now: a.User.Next(u.now()), Names: &storage.NamesChange{Drop: []storage.IdentifierID{a.Retired[at].ID}},
		Events: []storage.Event{u.changeEvent(v, a, "user name freed")}}
	return a.User.ID, mfa.Refuse("free user name", u.store.UpdateUser(ctx, c), storage.ErrConflict, mfa.RequestChanged)
}
