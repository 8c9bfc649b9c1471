package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"sallyport/mfa"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// spend returns what every right response writes: the credential, its counters, the event.
func (v *Verifier) spend(caller mfa.Caller, t try, proof mfa.Proof, event *storage.Event) storage.Spend {
	about, kind := t.about, t.okEvent
	if event != nil {
		about, kind = *event, event.Kind
	}
	about.UserID = proof.User
	about.Detail = maps.Clone(about.Detail)
	about.Detail["authenticator"] = string(proof.Authenticator)
	s := storage.Spend{Now: t.attempt.Now, TakeBack: t.address, Returned: proof.Returned, Messages: v.recoveryNotice(caller, t, proof),
		Events: []storage.Event{v.event(caller, about, kind, mfa.OutcomeOK, "")}}
	if proof.Spend.Authenticator != "" {
		s.Credential = &proof.Spend
	}
	if t.uncounted && !t.free {
		s.Credential.Unfailed, s.Credential.Uncounted = t.throttle.Key.Bucket, t.resetKeys()
		if t.address != nil {
			s.Credential.Address = t.address.Address
		}
	} else {
		s.Reset = t.resetKeys()
	}
	for _, f := range proof.Findings {
		s.Events = append(s.Events, v.event(caller, about, f.Event, mfa.OutcomeOK, f.Reason))
		if f.Notice != "" {
			s.Messages = append(s.Messages, v.message(caller, t.attempt.Account, f.Notice, map[string]string{"method": t.method.Info().Name})...)
		}
	}
	if t.attempt.Account.User.Status == storage.UserPending {
		s.Activate = proof.User
	}
	return s
}

// settle spends a proof. On a conflict it returns Replayed if this code was spent before.
func (v *Verifier) settle(ctx context.Context, caller mfa.Caller, t try, proof mfa.Proof, s storage.Spend, otherwise mfa.Code) error {
	if proof.Spend.Code != "" {
		s.Events = append(s.Events, v.event(caller, t.about, mfa.EventRecoveryUsed, mfa.OutcomeOK, ""))
	}
	err := v.store.Spend(ctx, s)
	if err == nil {
		return nil
	}
	if t.uncounted && errors.Is(err, storage.ErrConflict) {
		return errUncounted
	}
	if !errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("spend proof: %w", err)
	}
	code, err := v.explainConflict(ctx, proof)
	if err != nil {
		return err
	}
	if code == mfa.Replayed {
		return v.noteReplay(ctx, caller, t, mfa.Replayed)
	}
	return &mfa.Error{Code: cmp.Or(code, otherwise)}
}

// explainConflict returns why a proof could not be spent; "": the proof is not the cause.
func (v *Verifier) explainConflict(ctx context.Context, proof mfa.Proof) (mfa.Code, error) {
	switch {
	case proof.Spend.Step > 0:
		account, err := v.store.Account(ctx, proof.User)
		if errors.Is(err, storage.ErrNotFound) {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("read account: %w", err)
		}
		a := account.Authenticator(proof.Authenticator)
		switch {
		case a == nil || a.Counter < proof.Spend.Step:
			return "", nil
		case a.Counter == proof.Spend.Step:
			return mfa.Replayed, nil
		}
		return mfa.InvalidPasscode, nil
	case proof.Spend.Code != "":
		codes, err := v.store.RecoveryCodes(ctx, proof.User)
		if err != nil {
			return "", fmt.Errorf("read recovery codes: %w", err)
		}
		for _, c := range codes {
			if seal.Equal(c, proof.Spend.Code) {
				return "", nil
			}
		}
		return mfa.Replayed, nil
	}
	return "", nil
}
