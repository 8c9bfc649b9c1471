package selfservice

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/recovery"
	"sallyport/storage"
)

// NewRecoveryCodes replaces an owner's recovery codes: the old ones are worthless at
// once. The new ones are returned to be shown once.
func (a *Accounts) NewRecoveryCodes(ctx context.Context, caller mfa.Caller, o mfa.Owner) ([]string, error) {
	if !a.verifier.HasSecond(o.Account) {
		return nil, &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := a.verifier.Fresh(o); err != nil {
		return nil, err
	}
	set, err := a.verifier.NewRecoverySet(o)
	if err != nil {
		return nil, err
	}
	events := []storage.Event{a.journal.Event(caller, o.Event(mfa.EventRecoveryRegenerated, set.Authenticator.Method, set.Authenticator.ID))}
	err = a.store.ReplaceRecoveryCodes(ctx, set, a.now(), events, a.notify(caller, o, notice.RecoveryRenewed, map[string]string{}))
	if errors.Is(err, storage.ErrConflict) {
		return nil, &mfa.Error{Code: mfa.RequestChanged}
	}
	if err != nil {
		return nil, fmt.Errorf("replace recovery codes: %w", err)
	}
	return recovery.ShowAll(set.Codes), nil
}
