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

// PasswordChange is what an owner typed to get another password.
type PasswordChange struct {
	Old, New  string
	EndOthers bool // end all sessions of the owner but this one
}

// ChangePassword takes the old password and sets a new one. An owner who holds a second
// factor must have proven one of late: a stolen password must not be enough to lock them
// out. Proofs of the old password count no more, but the session that knows the new one
// goes on.
func (a *Accounts) ChangePassword(ctx context.Context, caller mfa.Caller, o mfa.Owner, c PasswordChange) error {
	if a.password == nil || password.Of(mfa.Attempt{Account: &o.Account}) == nil {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if a.verifier.HasSecond(o.Account) {
		if err := a.verifier.Fresh(o); err != nil {
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
		// One place in the queue is enough for both hashes: they are computed one by one.
		Spend: func(s *storage.Spend, p mfa.Proof) error {
			hash, err := a.password.HashReserved(c.New)
			if err != nil {
				return fmt.Errorf("hash new password: %w", err)
			}
			s.Credential.Secret, s.Credential.Changed = []byte(hash), true
			s.Messages = a.notify(caller, o, notice.PasswordChanged, map[string]string{})
			if c.EndOthers {
				s.EndSessions = p.User
				s.Events = append(s.Events, a.journal.Event(caller, othersEnded(o, password.Name, p.Authenticator)))
			}
			return nil
		}})
}
