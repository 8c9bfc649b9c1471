package selfservice

import (
	"context"
	"fmt"
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
