package selfservice

import (
	"context"
	"errors"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// findFactor returns an authenticator of the owner, and NotConfigured if there is none.
func (a *Accounts) findFactor(o mfa.Owner, id storage.AuthenticatorID) (*storage.Authenticator, mfa.Info, error) {
	x := o.Account.Authenticator(id)
	if x == nil || x.State == storage.AuthenticatorPending {
		return nil, mfa.Info{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	i, ok := a.verifier.Info(x.Method)
	if !ok || !i.Enrolls {
		return nil, mfa.Info{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	return x, i, nil
}

// Rename changes the name of an authenticator. It needs no fresh proof. It returns
// NotConfigured for an unknown authenticator and InvalidRequest for the name.
func (a *Accounts) Rename(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.AuthenticatorID, name string) error {
	x, _, err := a.findFactor(o, id)
	if err != nil {
		return err
	}
	name, err = exchange.CleanName(name)
	if err != nil {
		return err
	}
	event := a.journal.Event(caller, o.Event(mfa.EventFactorRenamed, x.Method, x.ID))
	err = a.store.RenameAuthenticator(ctx, x.UserID, x.ID, name, a.now(), []storage.Event{event})
	return mfa.Refuse("rename authenticator", err, storage.ErrNotFound, mfa.NotConfigured)
}

// NameEnrolled renames the authenticator that was enrolled in a login.
func (a *Accounts) NameEnrolled(ctx context.Context, caller mfa.Caller, l exchange.Login, method, name string) error {
	s, err := a.verifier.VerifiedEnrollment(ctx, l, method)
	if err != nil {
		return err
	}
	return a.Rename(ctx, caller, mfa.Owner{Account: *l.Account, Client: l.Request.ClientID}, s.Authenticator, name)
}

// Remove deletes an authenticator (M-9). With the last standalone second factor it deletes the
// recovery codes and clears the user's setting. endOthers ends all other sessions of the
// owner. It returns the errors of CheckFresh, NotConfigured for an unknown authenticator, and
// LastWay for the last one that the owner can sign in with.
func (a *Accounts) Remove(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.AuthenticatorID, endOthers bool) error {
	if err := a.verifier.CheckFresh(o); err != nil {
		return err
	}
	x, i, err := a.findFactor(o, id)
	if err != nil {
		return err
	}
	r := storage.Removal{UserID: x.UserID, Authenticator: x.ID, Now: a.now(),
		Events:   []storage.Event{a.journal.Event(caller, o.Event(mfa.EventFactorDeleted, x.Method, x.ID))},
		Messages: a.notify(caller, o, notice.FactorRemoved, map[string]string{"method": x.Method, "name": x.Name})}
	if i.Second {
		r.Lasting = a.verifier.StandaloneMethods()
	}
	if i.First {
		r.Ways, r.Unusable = a.verifier.FirstMethods(), a.unusable(o.Account)
	}
	if endOthers && o.Session != "" {
		r.EndSessions = o.Session
		r.Events = append(r.Events, a.journal.Event(caller, signOutEvent(o, x.Method, x.ID)))
	}
	err = a.store.DeleteAuthenticator(ctx, r)
	if errors.Is(err, storage.ErrConflict) {
		return &mfa.Error{Code: mfa.LastWay}
	}
	return mfa.Refuse("remove authenticator", err, storage.ErrNotFound, mfa.NotConfigured)
}

// unusable returns the authenticators of an account that sign nobody in now.
func (a *Accounts) unusable(account storage.Account) []storage.AuthenticatorID {
	var out []storage.AuthenticatorID
	for _, x := range account.Authenticators {
		if i, ok := a.verifier.Info(x.Method); ok && i.Unusable != nil && i.Unusable(x) {
			out = append(out, x.ID)
		}
	}
	return out
}

// signOutEvent returns the audit event for the end of all other sessions of an owner.
func signOutEvent(o mfa.Owner, method string, id storage.AuthenticatorID) storage.Event {
	e := o.Event(mfa.EventLogout, method, id)
	e.Detail["reason"] = "all other sessions"
	return e
}
