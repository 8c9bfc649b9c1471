// Package users creates and changes users for administrators, backends and imports. What
// users do with their own accounts is not here.
package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/password"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// ActorAdmin is the Actor of a Visit by an administrator.
const ActorAdmin = "admin"

// Find returns the account that an administrator means: by its ID, or by any name.
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
	a, err := u.store.AccountByIdentifier(ctx, name)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Account{}, &mfa.Error{Code: mfa.UserNotFound}
	}
	return a, mfa.Wrap("read user", err)
}

// Account returns a user by ID.
func (u *Registry) Account(ctx context.Context, id storage.UserID) (storage.Account, error) {
	a, err := u.store.Account(ctx, id)
	return a, found(mfa.Wrap("read user", err))
}

// List returns up to limit users behind one, in the order of their IDs.
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

// Standing is what an administrator wants to know of a user beside the account.
type Standing struct {
	Waits         []storage.Refusal // counters of failures that refuse now
	Sessions      int
	RecoveryCodes int // unused
}

// Standing reads it.
func (u *Registry) Standing(ctx context.Context, a storage.Account) (Standing, error) {
	now, id := u.now(), a.User.ID
	waits, err := u.store.Waits(ctx, u.counters(a), now)
	if err != nil {
		return Standing{}, fmt.Errorf("read waits: %w", err)
	}
	sessions, err := u.store.SessionsOf(ctx, id, now)
	if err != nil {
		return Standing{}, fmt.Errorf("list sessions: %w", err)
	}
	codes, err := u.store.RecoveryCodes(ctx, id)
	if err != nil {
		return Standing{}, fmt.Errorf("read recovery codes: %w", err)
	}
	return Standing{Waits: longest(waits), Sessions: len(sessions), RecoveryCodes: len(codes)}, nil
}

// longest leaves of each bucket the longest wait: the user's counter and those of names
// are one for an administrator.
func longest(waits []storage.Refusal) []storage.Refusal {
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

// counters are the counters of the failures of a user and of the user's names, under
// every living hash key. Those of browsers that signed the user in before are not among
// them: nobody knows which there are, and they forget by themselves.
func (u *Registry) counters(a storage.Account) []storage.ThrottleKey {
	subjects := u.keyring.Hashes("user", string(a.User.ID))
	for _, i := range a.Identifiers {
		subjects = append(subjects, throttle.NameSubjects(u.keyring, i.Value)...)
	}
	var out []storage.ThrottleKey
	for _, subject := range subjects {
		for _, bucket := range []string{throttle.Password, throttle.Factor, throttle.Passwordless} {
			out = append(out, storage.ThrottleKey{Bucket: bucket, Subject: subject})
		}
	}
	return out
}

// Disable keeps a user out, and ends in the same transaction whatever the user has
// under way or was given (M-10).
func (u *Registry) Disable(ctx context.Context, v mfa.Caller, a storage.Account) error {
	status := storage.UserDisabled
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Status: &status, Kill: true,
		Events: []storage.Event{u.changed(v, a, "disabled")}})
}

// Enable lets a disabled user in, and takes a pending one for active without a proof.
// Nothing of before comes back.
func (u *Registry) Enable(ctx context.Context, v mfa.Caller, a storage.Account) error {
	status := storage.UserActive
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Status: &status, Events: []storage.Event{u.changed(v, a, "enabled")}})
}

// Delete removes a user and everything that belongs to them. The audit trail stays.
func (u *Registry) Delete(ctx context.Context, v mfa.Caller, a storage.Account) error {
	e := u.journal.Event(v, storage.Event{Kind: mfa.EventUserDeleted, UserID: a.User.ID})
	return found(mfa.Wrap("delete user", u.store.DeleteUser(ctx, a.User.ID, []storage.Event{e})))
}

// Unlock forgets a user's failures and switches on the factors that too many of them
// switched off.
func (u *Registry) Unlock(ctx context.Context, v mfa.Caller, a storage.Account) error {
	events := []storage.Event{u.journal.Event(v, storage.Event{Kind: mfa.EventUserUnlocked, UserID: a.User.ID})}
	for _, x := range a.Authenticators {
		if x.State == storage.AuthenticatorDisabled {
			events = append(events, u.about(v, mfa.EventFactorEnabled, x))
		}
	}
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Reset: u.counters(a),
		Factors: &storage.FactorsChange{Enable: true}, Events: events})
}

// ResetFactors takes everything away that proves a user, the password excepted: the
// phone is lost. Whatever was begun or given with it ends in the same transaction
// (M-10). The user's wish for a second factor stays, so that the next login asks for
// a new one.
func (u *Registry) ResetFactors(ctx context.Context, v mfa.Caller, a storage.Account) error {
	c := storage.UserChange{ID: a.User.ID, Kill: true, Reset: u.counters(a), Factors: &storage.FactorsChange{},
		Events: []storage.Event{u.changed(v, a, "factors reset")}}
	for _, x := range a.Authenticators {
		if x.Method == password.Name {
			continue
		}
		if !slices.Contains(c.Factors.Drop, x.Method) {
			c.Factors.Drop = append(c.Factors.Drop, x.Method)
		}
		c.Events = append(c.Events, u.about(v, mfa.EventFactorDeleted, x))
		if x.State != storage.AuthenticatorPending {
			c.Messages = append(c.Messages, u.notice(v, a, notice.FactorRemoved, map[string]string{"method": x.Method, "name": x.Name})...)
		}
	}
	return u.update(ctx, c)
}

// SetPassword gives a user another password. A password is a factor: whatever was
// begun or given with the old one ends in the same transaction (M-10).
func (u *Registry) SetPassword(ctx context.Context, v mfa.Caller, a storage.Account, plain string) error {
	if err := u.password.Check(plain, password.WordsOf(a)...); err != nil {
		return err
	}
	hash, err := u.password.Hash(ctx, plain)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	fresh := u.stamp(storage.Authenticator{Method: password.Name, Secret: []byte(hash)}, a.User.ID, "admin", u.now())
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Kill: true, Reset: u.counters(a),
		Factors:  &storage.FactorsChange{Drop: []string{password.Name}, Add: []storage.Authenticator{fresh}},
		Events:   []storage.Event{u.journal.Event(v, storage.Event{Kind: mfa.EventPasswordChanged, UserID: a.User.ID})},
		Messages: u.notice(v, a, notice.PasswordChanged, map[string]string{})})
}

// stamp completes a new authenticator.
func (u *Registry) stamp(a storage.Authenticator, user storage.UserID, origin string, now time.Time) storage.Authenticator {
	a.ID, a.UserID = storage.AuthenticatorID(storage.Random128(u.random)), user
	a.Origin, a.State, a.CreatedAt, a.UpdatedAt = origin, storage.AuthenticatorActive, now, now
	return a
}

func (u *Registry) update(ctx context.Context, c storage.UserChange) error {
	c.Now = u.now()
	return found(mfa.Wrap("change user", u.store.UpdateUser(ctx, c)))
}

// found turns storage's refusals into ours.
func found(err error) error {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return &mfa.Error{Code: mfa.UserNotFound, Err: err}
	case errors.Is(err, storage.ErrConflict):
		return &mfa.Error{Code: mfa.IdentifierTaken, Err: err}
	}
	return err
}

// changed is the event of a change; what names it in a word.
func (u *Registry) changed(v mfa.Caller, a storage.Account, what string) storage.Event {
	return u.journal.Event(v, storage.Event{Kind: mfa.EventUserChanged, UserID: a.User.ID, Detail: map[string]string{"change": what}})
}

// about is the event of a change to one authenticator.
func (u *Registry) about(v mfa.Caller, kind string, x storage.Authenticator) storage.Event {
	return u.journal.Event(v, storage.Event{Kind: kind, UserID: x.UserID,
		Detail: map[string]string{"method": x.Method, "authenticator": string(x.ID)}})
}

// notice tells a user of a change; the language of administrators says nothing about theirs.
func (u *Registry) notice(v mfa.Caller, a storage.Account, template string, data map[string]string) []storage.Message {
	if locale, ok := a.User.Profile["locale"].(string); ok && v.Locale == "" {
		v.Locale, _, _ = strings.Cut(locale, "-")
	}
	return notice.New(u.now(), u.random, u.product, v, &a, template, data)
}

// SignOut ends every session of a user and everything they led to: logins under way
// and all grants, those with offline access included.
func (u *Registry) SignOut(ctx context.Context, v mfa.Caller, a storage.Account) error {
	e := u.journal.Event(v, storage.Event{Kind: mfa.EventLogout, UserID: a.User.ID, Detail: map[string]string{"reason": "all sessions and grants"}})
	return u.update(ctx, storage.UserChange{ID: a.User.ID, Kill: true, Events: []storage.Event{e}})
}
