package selfservice

import (
	"context"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/recovery"
	"sallyport/storage"
)

// NewRecoveryCodes replaces an owner's recovery codes and returns the new ones in their
// display form. The old ones become invalid. It returns the errors of CheckFresh, and
// NotConfigured without a second factor.
func (a *Accounts) NewRecoveryCodes(ctx context.Context, caller mfa.Caller, o mfa.Owner) ([]string, error) {
	if !a.verifier.HasSecond(o.Account) {
		return nil, &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := a.verifier.CheckFresh(o); err != nil {
		return nil, err
	}
	set, err := a.verifier.NewRecoverySet(o)
	if err != nil {
		return nil, err
	}
	events := []storage.Event{a.journal.Event(caller, o.Event(mfa.EventRecoveryRegenerated, set.Authenticator.Method, set.Authenticator.ID))}
	err = a.store.ReplaceRecoveryCodes(ctx, set, a.now(), events, a.notify(caller, o, notice.RecoveryRenewed, map[string]string{}))
	if err != nil {
		return nil, mfa.Refuse("replace recovery codes", err, storage.ErrConflict, mfa.RequestChanged)
	}
	return recovery.ShowAll(set.Codes), nil
}
