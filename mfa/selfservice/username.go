package selfservice

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// maxKept is how many user names are kept for a user who gave them up. One more would let users
// collect names.
const maxKept = 3

// Usernames are the rules for user names that users choose.
type Usernames struct {
	Editable bool          // users choose and change their user name
	Keep     time.Duration // how long a name that was given up is kept for its user; 0: 90 days
	Reserved []string      // names that nobody can choose, with or without '.', '_' and '-'
}

// Username is the user name of an owner, as the owner sees it.
type Username struct {
	Now  string               // "": the user has none
	Kept []storage.Identifier // earlier ones that the user can take back, in the order they were chosen
	Full bool                 // no more are kept: only those can be taken
}

// Username returns the user name of an account; false: users do not choose theirs.
func (a *Accounts) Username(account storage.Account) (Username, bool) {
	u := Username{Kept: a.kept(account)}
	if old := a.username(account); old != nil {
		u.Now = old.Text()
	}
	u.Full = u.Now != "" && len(u.Kept) >= maxKept
	return u, a.o.Usernames.Editable
}

// username returns the user name that clients are told; nil: there is none.
func (a *Accounts) username(account storage.Account) *storage.Identifier {
	for _, i := range a.current(account) {
		if i.Kind == storage.Username {
			return &i
		}
	}
	return nil
}

// kept returns the user names that are kept for their user.
func (a *Accounts) kept(account storage.Account) []storage.Identifier {
	return slices.DeleteFunc(slices.Clone(account.Retired), func(i storage.Identifier) bool { return !i.ExpiresAt.After(a.now()) })
}

// ChangeUsername gives an owner a user name, or another one. The old one is kept for them, so that
// nobody can pass for them with it, and finds nobody meanwhile. It returns the errors of CheckFresh,
// NotConfigured if users do not choose, InvalidIdentifier, IdentifierTaken for a name that another
// user has or had lately, or that is reserved, NotAllowed if no further name is kept, TooMany after
// too many tries, and RequestChanged.
func (a *Accounts) ChangeUsername(ctx context.Context, caller mfa.Caller, o mfa.Owner, typed string) error {
	if !a.o.Usernames.Editable {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := a.verifier.CheckFresh(o); err != nil {
		return err
	}
	old, kept := a.username(o.Account), a.kept(o.Account)
	i, err := mfa.Identify(typed)
	if err == nil && old != nil && old.Text() == i.Text() {
		return nil
	}
	at := slices.IndexFunc(kept, func(k storage.Identifier) bool { return err == nil && k.Value == i.Value })
	if at < 0 {
		if i, err = mfa.ChooseUsername(typed); err != nil {
			return err
		}
		if a.reserved(i.Value) {
			return &mfa.Error{Code: mfa.IdentifierTaken}
		}
	}
	if old != nil && at < 0 && len(kept) >= maxKept {
		return &mfa.Error{Code: mfa.NotAllowed}
	}
	if err := a.verifier.CountUsername(ctx, o.Account.User.ID); err != nil {
		return err
	}
	return a.storeUsername(ctx, o.Account.User, a.renamed(caller, o, old, i))
}

// renamed returns the change of a user name.
func (a *Accounts) renamed(caller mfa.Caller, o mfa.Owner, old *storage.Identifier, i storage.Identifier) storage.UserChange {
	now, user := a.now(), o.Account.User
	i.ID, i.UserID = storage.IdentifierID(storage.TimeOrdered(now, a.random)), user.ID
	i.VerifiedAt, i.CreatedAt, i.UpdatedAt = now, now, now
	names, data := storage.NamesChange{Until: now.Add(a.o.Usernames.Keep)}, map[string]string{"username": i.Text()}
	for _, k := range o.Account.Retired { // also one that has expired, and is not swept
		if k.Value == i.Value {
			names.Drop = append(names.Drop, k.ID)
		}
	}
	if old != nil {
		i.CreatedAt, data["old"] = old.CreatedAt, old.Text() // the first one is preferred_username
		if old.Value == i.Value {
			names.Drop = append(names.Drop, old.ID) // another spelling of one name
		} else {
			names.Retire = append(names.Retire, old.ID)
		}
	}
	names.Add = append(names.Add, i)
	event := storage.Event{Kind: mfa.EventUsernameChanged, UserID: user.ID, ClientID: o.Client, SessionID: o.Session}
	return storage.UserChange{ID: user.ID, Was: user.UpdatedAt, Now: user.Next(now), Names: &names,
		Events: []storage.Event{a.journal.Event(caller, event)}, Messages: a.notify(caller, o, notice.UsernameChanged, data)}
}

// storeUsername writes a change of a user name, and says what is in its way.
func (a *Accounts) storeUsername(ctx context.Context, was storage.User, c storage.UserChange) error {
	err := a.store.UpdateUser(ctx, c)
	if !errors.Is(err, storage.ErrConflict) {
		return mfa.Wrap("change user name", err)
	}
	now, failure := a.store.Account(ctx, was.ID)
	if failure != nil {
		return mfa.Refuse("read account", failure, storage.ErrNotFound, mfa.RequestChanged)
	}
	if !now.User.UpdatedAt.Equal(was.UpdatedAt) {
		return &mfa.Error{Code: mfa.RequestChanged, Err: err}
	}
	return &mfa.Error{Code: mfa.IdentifierTaken, Err: err}
}

// reserved reports whether nobody can choose a name, however it is divided.
func (a *Accounts) reserved(name string) bool {
	plain := strings.NewReplacer(".", "", "_", "", "-", "").Replace
	return slices.ContainsFunc(a.o.Usernames.Reserved, func(r string) bool { return plain(input.SameName(mfa.Fold(r))) == plain(name) })
}
