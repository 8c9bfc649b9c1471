package exchange

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/password"
	"sallyport/storage"
)

// PasswordChange is what an owner typed to get another password.
type PasswordChange struct {
	Old, New  string
	EndOthers bool // end all sessions of the owner but this one
}

// ChangePassword takes the old password and sets a new one. The old one is counted by
// the throttle of logins: a session left open is no place to guess it. Who holds a
// second factor must have proven one of late: a stolen password must not be enough to
// lock its owner out. Proofs of the old password count no more, but the session that
// knows the new one goes on.
func (v *Verifier) ChangePassword(ctx context.Context, visit mfa.Caller, o mfa.Owner, c PasswordChange) error {
	m, ok := v.methods["password"].(*password.Method)
	attempt := mfa.Attempt{Account: &o.Account, Usage: mfa.UsageFirst, Locale: visit.Locale, Now: v.now()}
	if !ok || password.Of(attempt) == nil {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if mfa.HasSecond(&o.Account, v.infos) {
		if err := v.Fresh(o); err != nil {
			return err
		}
	}
	if !utf8.ValidString(c.Old) {
		return &mfa.Error{Code: mfa.InvalidRequest}
	}
	if err := m.Check(c.New, password.WordsOf(o.Account)...); err != nil {
		return err
	}
	old := mfa.Typed(c.Old)
	if err := parse(m, attempt, old); err != nil {
		return err
	}
	t := v.newTry(visit, m, attempt, v.whom(&o.Account, ""), o.Client)
	// One place in the queue is enough for both computations: they run one by one. It is
	// kept until the second is done.
	release, err := v.reserve(ctx, visit, &t)
	if err != nil {
		return err
	}
	defer release()
	t.release = func() {}
	if err := v.count(ctx, visit, &t, storage.Attempt{}); err != nil {
		return err
	}
	proof, err := v.compare(ctx, visit, t, nil, old)
	if err != nil {
		return err
	}
	hash, err := m.HashReserved(c.New)
	release()
	if err != nil {
		return fmt.Errorf("hash new password: %w", err)
	}
	return v.setPassword(ctx, visit, o, t, proof, hash, c.EndOthers)
}

func (v *Verifier) setPassword(ctx context.Context, visit mfa.Caller, o mfa.Owner, t try, proof mfa.Proof, hash string, endOthers bool) error {
	t.about = v.aboutOwner(o, t.method.Info().Name, proof.Authenticator)
	s := v.spend(visit, t, proof, mfa.EventPasswordChanged)
	s.Credential = &proof.Spend
	s.Credential.Secret, s.Credential.Changed = []byte(hash), true
	s.KeepSession = o.Session
	s.Renew = &storage.Renewal{User: o.Account.User.ID, Factor: *proven(t.method.Info().Name, proof, t.attempt.Now)}
	s.Messages = v.message(visit, &o.Account, notice.PasswordChanged, map[string]string{})
	if endOthers {
		s.EndSessions = o.Account.User.ID
		s.Events = append(s.Events, v.event(visit, t.about, mfa.EventLogout, mfa.OutcomeOK, "all other sessions"))
	}
	err := v.store.Spend(ctx, s)
	if errors.Is(err, storage.ErrConflict) {
		return &mfa.Error{Code: mfa.RequestChanged}
	}
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	return nil
}
