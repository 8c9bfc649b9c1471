package selfservice

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/notice"
	"sallyport/storage"
)

// factor finds one of the owner's authenticators. Somebody else's is refused like one
// that does not exist.
func (a *Accounts) factor(o mfa.Owner, id storage.AuthenticatorID) (*storage.Authenticator, mfa.Info, error) {
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

// Rename changes what the owner calls an authenticator. It proves nothing and changes
// no proof, so any living session may do it.
func (a *Accounts) Rename(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.AuthenticatorID, name string) error {
	x, _, err := a.factor(o, id)
	if err != nil {
		return err
	}
	name, err = exchange.CleanName(name)
	if err != nil {
		return err
	}
	event := a.journal.Event(caller, o.Event(mfa.EventFactorRenamed, x.Method, x.ID))
	err = a.store.RenameAuthenticator(ctx, x.UserID, x.ID, name, a.now(), []storage.Event{event})
	if errors.Is(err, storage.ErrNotFound) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if err != nil {
		return fmt.Errorf("rename authenticator: %w", err)
	}
	return nil
}

// NameEnrolled names the authenticator that was enrolled in this very login.
func (a *Accounts) NameEnrolled(ctx context.Context, caller mfa.Caller, l exchange.Login, method, name string) error {
	s, err := a.verifier.EnrolledIn(ctx, l, method)
	if err != nil {
		return err
	}
	return a.Rename(ctx, caller, mfa.Owner{Account: *l.Account, Client: l.Request.ClientID}, s.Authenticator, name)
}

// Remove takes an authenticator away (M-9). With the last one that stands for itself
// go the recovery codes and the wish for a second factor. endOthers ends all sessions
// of the owner but this one.
func (a *Accounts) Remove(ctx context.Context, caller mfa.Caller, o mfa.Owner, id storage.AuthenticatorID, endOthers bool) error {
	if err := a.verifier.Fresh(o); err != nil {
		return err
	}
	x, i, err := a.factor(o, id)
	if err != nil {
		return err
	}
	r := storage.Removal{UserID: x.UserID, Authenticator: x.ID, Now: a.now(),
		Events:   []storage.Event{a.journal.Event(caller, o.Event(mfa.EventFactorDeleted, x.Method, x.ID))},
		Messages: a.notify(caller, o, notice.FactorRemoved, map[string]string{"method": x.Method, "name": x.Name})}
	if i.Second {
		r.Lasting = a.verifier.Lasting()
	}
	if endOthers && o.Session != "" {
		r.EndSessions = o.Session
		r.Events = append(r.Events, a.journal.Event(caller, othersEnded(o, x.Method, x.ID)))
	}
	err = a.store.DeleteAuthenticator(ctx, r)
	if errors.Is(err, storage.ErrNotFound) {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	if err != nil {
		return fmt.Errorf("remove authenticator: %w", err)
	}
	return nil
}

// othersEnded begins the audit line that says that all other sessions of an owner ended.
func othersEnded(o mfa.Owner, method string, id storage.AuthenticatorID) storage.Event {
	e := o.Event(mfa.EventLogout, method, id)
	e.Detail["reason"] = "all other sessions"
	return e
}
