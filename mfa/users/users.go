// Package users creates and changes users for administrators, backends and imports. Package
// selfservice is what users do with their own accounts.
package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/notice"
	"sallyport/mfa/password"
	"sallyport/mfa/throttle"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

// ActorAdmin is the Caller.Actor of an administrator.
const ActorAdmin = "admin"

// Find returns a user by ID or by any identifier, and UserNotFound if there is none.
func (u *Registry) Find(ctx context.Context, who string) (storage.Account, error) {
	if _, ok := storage.Bytes(storage.UserID(who)); ok {
		a, err := u.store.Account(ctx, storage.UserID(who))
		if !errors.Is(err, storage.ErrNotFound) {
			return a, mfa.Wrap("read user", err)
		}
	}
	name, _, err := mfa.Canonical(who)
	if err != nil {
		return storage.Account{}, &mfa.Error{Code: mfa.UserNotFound}
	}
	return u.Named(ctx, name)
}

// Named returns a user by a canonical identifier, and UserNotFound if there is none.
func (u *Registry) Named(ctx context.Context, name string) (storage.Account, error) {
	a, err := u.store.AccountByIdentifier(ctx, name, u.now())
	return a, mfa.Refuse("read user", err, storage.ErrNotFound, mfa.UserNotFound)
}

// Account returns a user by ID, and UserNotFound if there is none.
func (u *Registry) Account(ctx context.Context, id storage.UserID) (storage.Account, error) {
	a, err := u.store.Account(ctx, id)
	return a, refusal(mfa.Wrap("read user", err))
}

// List returns up to limit users after one, in the order of their IDs.
func (u *Registry) List(ctx context.Context, after storage.UserID, limit int) ([]storage.Account, error) {
	users, err := u.store.ListUsers(ctx, storage.UserFilter{After: after, Limit: limit})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	out := make([]storage.Account, 0, len(users))
	for _, user := range users {
		a, err := u.store.Account(ctx, user.ID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read user: %w", err)
		}
		out = append(out, a)
	}
	return out, nil
}

// Search returns up to limit users after one, in the order of their IDs, one of whose names has
// a part in any spelling, and whether there are more.
func (u *Registry) Search(ctx context.Context, part string, after storage.UserID, limit int) ([]storage.Account, bool, error) {
	found, err := u.store.SearchUsers(ctx, storage.UserSearch{NamePart: mfa.Fold(part), After: after, Limit: limit, Now: u.now()})
	if err != nil {
		return nil, false, fmt.Errorf("search users: %w", err)
	}
	return found.Accounts, found.More, nil
}

// Summary is the state of a user that an Account does not hold.
type Summary struct {
	Waits         []storage.Refusal // counters that impose a wait now, one for each bucket
	Sessions      int
	RecoveryCodes int // unused
	// Ahead has the TOTP authenticators none of whose codes is accepted, and until when.
	Ahead map[storage.AuthenticatorID]time.Time
}

// Summary returns the summary of a user.
func (u *Registry) Summary(ctx context.Context, a storage.Account) (Summary, error) {
	now, id := u.now(), a.User.ID
	waits, err := u.Waits(ctx, a)
	if err != nil {
		return Summary{}, err
	}
	sessions, err := u.store.SessionsOf(ctx, id, now)
	if err != nil {
		return Summary{}, fmt.Errorf("list sessions: %w", err)
	}
	codes, err := u.store.RecoveryCodes(ctx, id)
	if err != nil {
		return Summary{}, fmt.Errorf("read recovery codes: %w", err)
	}
	ahead := map[storage.AuthenticatorID]time.Time{}
	for _, x := range a.Authenticators {
		if until := totp.AheadUntil(x, now); !until.IsZero() {
			ahead[x.ID] = until
		}
	}
	return Summary{Waits: waits, Sessions: len(sessions), RecoveryCodes: len(codes), Ahead: ahead}, nil
}

// Waits returns the counters of a user that impose a wait now, one for each bucket.
func (u *Registry) Waits(ctx context.Context, a storage.Account) ([]storage.Refusal, error) {
	waits, err := u.store.Waits(ctx, throttle.UserKeys(u.keyring, a), u.now())
	return longestWaits(waits), mfa.Wrap("read waits", err)
}

// longestWaits returns the longest wait of each bucket, over the counters of the user and of
// the user's names.
func longestWaits(waits []storage.Refusal) []storage.Refusal {
	var out []storage.Refusal
	for _, w := range waits {
		i := slices.IndexFunc(out, func(o storage.Refusal) bool { return o.Bucket == w.Bucket })
		switch {
		case i < 0:
			out = append(out, w)
		case w.Until.IsZero() || !out[i].Until.IsZero() && w.Until.After(out[i].Until):
			out[i] = w
		}
	}
	return out
}

// Disable disables a user, and ends all sessions, logins and grants in the same transaction
// (M-10).
func (u *Registry) Disable(ctx context.Context, v mfa.Caller, a storage.Account) error {
	status := storage.UserDisabled
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Status: &status, Kill: true, EndTickets: true,
		Events: []storage.Event{u.changeEvent(v, a, "disabled")}})
}

// Enable activates a disabled or pending user. It restores no session, login or grant.
func (u *Registry) Enable(ctx context.Context, v mfa.Caller, a storage.Account) error {
	status := storage.UserActive
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Status: &status, Events: []storage.Event{u.changeEvent(v, a, "enabled")}})
}

// Delete deletes a user and all data of the user but the audit trail.
func (u *Registry) Delete(ctx context.Context, v mfa.Caller, a storage.Account) error {
	e := u.journal.Event(v, storage.Event{Kind: mfa.EventUserDeleted, UserID: a.User.ID})
	return refusal(mfa.Wrap("delete user", u.store.DeleteUser(ctx, a.User.ID, e.At, []storage.Event{e})))
}

// Unlock resets a user's counters of failures and enables the factors they disabled.
func (u *Registry) Unlock(ctx context.Context, v mfa.Caller, a storage.Account) error {
	events := []storage.Event{u.journal.Event(v, storage.Event{Kind: mfa.EventUserUnlocked, UserID: a.User.ID})}
	for _, x := range a.Authenticators {
		if x.State == storage.AuthenticatorDisabled {
			events = append(events, u.factorEvent(v, mfa.EventFactorEnabled, x))
		}
	}
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Reset: throttle.UserKeys(u.keyring, a),
		Factors: &storage.FactorsChange{Enable: true}, Events: events})
}

// ResetFactors deletes all authenticators of a user but the password, such as when the phone
// is lost, and ends all sessions, logins and grants in the same transaction (M-10). It keeps
// the user's setting, so that the next login demands an enrolment. That demands the code that is
// returned, for the administrator to pass on, or one by mail: not the password alone.
func (u *Registry) ResetFactors(ctx context.Context, v mfa.Caller, a storage.Account) (string, error) {
	demand, code, err := enrollcode.New(u.keyring, u.random).Demand(&a, u.codeLife, u.now())
	if err != nil {
		return "", err
	}
	c := storage.UserChange{ID: a.User.ID, Kill: true, EndTickets: true, Reset: throttle.UserKeys(u.keyring, a),
		Factors: &storage.FactorsChange{Add: []storage.Authenticator{demand}},
		Events:  []storage.Event{u.changeEvent(v, a, "factors reset")}}
	for _, x := range a.Authenticators {
		if x.Method == password.Name {
			continue
		}
		if !slices.Contains(c.Factors.Drop, x.Method) {
			c.Factors.Drop = append(c.Factors.Drop, x.Method)
		}
		if x.Method == enrollcode.Name {
			continue
		}
		c.Events = append(c.Events, u.factorEvent(v, mfa.EventFactorDeleted, x))
		if x.State != storage.AuthenticatorPending {
			c.Messages = append(c.Messages, u.notice(v, a, notice.FactorRemoved, map[string]string{"method": x.Method, "name": x.Name})...)
		}
	}
	return code, u.update(ctx, c)
}

// SetPassword replaces a user's password, and ends all sessions, logins and grants in the
// same transaction (M-10). It returns the errors of password.Method.Check.
func (u *Registry) SetPassword(ctx context.Context, v mfa.Caller, a storage.Account, plain string) error {
	c, err := u.newPassword(ctx, v, a, plain, "admin")
	if err != nil {
		return err
	}
	c.EndTickets, c.Reset = true, throttle.UserKeys(u.keyring, a)
	return u.update(ctx, c)
}

// ResetPassword is SetPassword for the reader of a message, whose ticket is spent with it. The
// counters of other factors stay: who reads a user's mail gets no further guesses of codes.
// InvalidExchange: the ticket is not valid any more.
func (u *Registry) ResetPassword(ctx context.Context, v mfa.Caller, a storage.Account, plain string, t storage.TicketSpend) error {
	c, err := u.newPassword(ctx, v, a, plain, "reset")
	if err != nil {
		return err
	}
	c.Events[0].Detail = map[string]string{"reason": "forgotten"}
	c.Ticket, c.Reset, c.Now = &t, throttle.PasswordKeys(u.keyring, a), u.now()
	err = u.store.UpdateUser(ctx, c)
	if errors.Is(err, storage.ErrNotFound) {
		err = storage.ErrConflict
	}
	return mfa.Refuse("reset password", err, storage.ErrConflict, mfa.InvalidExchange)
}

// newPassword returns the change to a new password.
func (u *Registry) newPassword(ctx context.Context, v mfa.Caller, a storage.Account, plain, origin string) (storage.UserChange, error) {
	if err := u.password.Check(plain, password.WordsOf(a)...); err != nil {
		return storage.UserChange{}, err
	}
	hash, err := u.password.Hash(ctx, mfa.Place{From: v.Network()}, plain)
	if err != nil {
		return storage.UserChange{}, fmt.Errorf("hash password: %w", err)
	}
	fresh := u.completeAuthenticator(storage.Authenticator{Method: password.Name, Secret: []byte(hash)}, a.User.ID, origin, u.now())
	return storage.UserChange{ID: a.User.ID, Kill: true,
		Factors:  &storage.FactorsChange{Drop: []string{password.Name}, Add: []storage.Authenticator{fresh}},
		Events:   []storage.Event{u.journal.Event(v, storage.Event{Kind: mfa.EventPasswordChanged, UserID: a.User.ID})},
		Messages: u.notice(v, a, notice.PasswordChanged, map[string]string{})}, nil
}

// completeAuthenticator sets the ID, user, origin, state and times of a new authenticator.
func (u *Registry) completeAuthenticator(a storage.Authenticator, user storage.UserID, origin string, now time.Time) storage.Authenticator {
	a.ID, a.UserID = storage.AuthenticatorID(storage.Random128(u.random)), user
	a.Origin, a.State, a.CreatedAt, a.UpdatedAt = origin, storage.AuthenticatorActive, now, now
	return a
}

func (u *Registry) update(ctx context.Context, c storage.UserChange) error {
	if c.Now.IsZero() {
		c.Now = u.now()
	}
	return refusal(mfa.Wrap("change user", u.store.UpdateUser(ctx, c)))
}

// refusal turns errors of storage into refusals.
func refusal(err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return &mfa.Error{Code: mfa.UserNotFound, Err: err}
	case errors.Is(err, storage.ErrConflict):
		return &mfa.Error{Code: mfa.IdentifierTaken, Err: err}
	}
	return err
}

// changeEvent returns the event of a change, which what names in a word.
func (u *Registry) changeEvent(v mfa.Caller, a storage.Account, what string) storage.Event {
	return u.journal.Event(v, storage.Event{Kind: mfa.EventUserChanged, UserID: a.User.ID, Detail: map[string]string{"change": what}})
}

// factorEvent returns the event of a change to an authenticator.
func (u *Registry) factorEvent(v mfa.Caller, kind string, x storage.Authenticator) storage.Event {
	return u.journal.Event(v, storage.Event{Kind: kind, UserID: x.UserID,
		Detail: map[string]string{"method": x.Method, "authenticator": string(x.ID)}})
}

// notice returns a message about a change.
func (u *Registry) notice(v mfa.Caller, a storage.Account, template string, data map[string]string) []storage.Message {
	return notice.New(u.now(), u.random, u.product, v, &a, template, data)
}

// SignOut ends all sessions, logins and grants of a user, including offline access.
func (u *Registry) SignOut(ctx context.Context, v mfa.Caller, a storage.Account) error {
	e := u.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: a.User.ID, Detail: map[string]string{"reason": "all sessions and grants"}})
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Kill: true, Events: []storage.Event{e}})
}
