package selfservice

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/notice"
	"sallyport/mfa/password"
	"sallyport/storage"
)

// PasswordChange is an owner's input to change the password.
type PasswordChange struct {
	Old, New  string
	EndOthers bool // end all other sessions of the owner
}

// HasPassword reports whether an account has a password, perhaps one that waits after wrong ones.
func (a *Accounts) HasPassword(account storage.Account) bool {
	return slices.ContainsFunc(account.Authenticators, func(x storage.Authenticator) bool { return x.Method == password.Name })
}

// MaySetPassword reports whether an owner may give the account its first password: it has none, but a
// proven e-mail address, where its owner learns of a password that somebody else has set, and replaces it.
func (a *Accounts) MaySetPassword(account storage.Account) bool {
	return a.password != nil && !a.HasPassword(account) &&
		slices.ContainsFunc(account.Identifiers, func(i storage.Identifier) bool { return i.Kind == storage.Email && isProven(i) })
}

// SetPassword gives an owner without a password one. It returns the errors of CheckFresh and of
// password.Method.Check, NotConfigured if not MaySetPassword, and RequestChanged if the account has
// changed, or the owner's session has ended, meanwhile.
func (a *Accounts) SetPassword(ctx context.Context, caller mfa.Caller, o mfa.Owner, plain string) error {
	if !a.MaySetPassword(o.Account) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := a.verifier.CheckFresh(o); err != nil {
		return err
	}
	if err := a.password.Check(plain, password.WordsOf(o.Account)...); err != nil {
		return err
	}
	hash, err := a.password.Hash(ctx, mfa.Place{From: caller.Network()}, plain)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	u, now := o.Account.User, a.now()
	event := o.Event(mfa.EventPasswordChanged, password.Name, "")
	event.Detail["reason"] = "first"
	err = a.store.UpdateUser(ctx, storage.UserChange{ID: u.ID, Was: u.UpdatedAt, Now: u.Next(now),
		Factors: &storage.FactorsChange{Add: []storage.Authenticator{{ID: storage.AuthenticatorID(storage.Random128(a.random)), UserID: u.ID, Method: password.Name,
			Origin: mfa.OriginAccount, State: storage.AuthenticatorActive, Secret: []byte(hash), CreatedAt: now, UpdatedAt: now}}},
		Basis:    &storage.Basis{User: u.ID, Session: o.Session, Grant: o.Grant},
		Events:   []storage.Event{a.journal.Event(caller, event)},
		Messages: a.notify(caller, o, notice.PasswordChanged, map[string]string{})})
	return mfa.Refuse("set password", err, storage.ErrConflict, mfa.RequestChanged)
}

// ChangePassword checks the old password and sets a new one. An owner with a second factor
// must have proven one recently (CheckFresh): a stolen password must not be enough to lock
// them out. Proofs with the old password become invalid, except in the owner's session.
func (a *Accounts) ChangePassword(ctx context.Context, caller mfa.Caller, o mfa.Owner, c PasswordChange) error {
	if a.password == nil || password.AuthenticatorOf(mfa.Attempt{Account: &o.Account}) == nil {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if a.verifier.HasSecond(o.Account) {
		if err := a.verifier.CheckFresh(o); err != nil {
			return err
		}
	}
	if !utf8.ValidString(c.Old) {
		return &mfa.Error{Code: mfa.InvalidRequest}
	}
	if err := a.password.Check(c.New, password.WordsOf(o.Account)...); err != nil {
		return err
	}
	event := o.Event(mfa.EventPasswordChanged, password.Name, "")
	return a.verifier.Check(ctx, caller, exchange.Check{Owner: o, Method: a.password, Response: mfa.Typed(c.Old), Event: event,
		// Both hashes use one place in the queue, one after the other.
		Spend: func(s *storage.Spend, p mfa.Proof) error {
			hash, err := a.password.HashReserved(c.New)
			if err != nil {
				return fmt.Errorf("hash new password: %w", err)
			}
			s.Credential.Secret, s.Credential.Changed = []byte(hash), true
			s.Messages = a.notify(caller, o, notice.PasswordChanged, map[string]string{})
			if c.EndOthers {
				s.EndSessions = p.User
				s.Events = append(s.Events, a.journal.Event(caller, signOutEvent(o, password.Name, p.Authenticator)))
			}
			return nil
		}})
}
