package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/device"
	"sallyport/mfa/notice"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// message returns a message to every verified e-mail address of an account.
func (v *Verifier) message(caller mfa.Caller, a *storage.Account, template string, data map[string]string) []storage.Message {
	return notice.New(v.now(), v.random, v.o.Product, caller, a, template, data)
}

// NewDevice returns the message to a user who signs in with a browser for the first time; nil for
// a browser that they have signed in with before, and for the first login of a user.
func (v *Verifier) NewDevice(caller mfa.Caller, a *storage.Account, proofs []storage.Factor) []storage.Message {
	_, known := device.Knows(v.keyring, caller.Device, a.User.ID)
	if known || slices.ContainsFunc(proofs, func(f storage.Factor) bool { return strings.Contains(f.New, mfa.NewUser) }) {
		return nil
	}
	return v.message(caller, a, notice.NewDevice, map[string]string{})
}

// Waiting returns the messages to a user of whom a client wants a sign-in.
func (v *Verifier) Waiting(a *storage.Account, client, locale string) []storage.Message {
	return v.message(mfa.Caller{Locale: locale}, a, notice.SignInWaiting, map[string]string{"application": client})
}

// noticeLock tells a user that wrong passwords impose a wait, once a day at most: whoever types
// them must not fill the mailbox. It is written with the audit trail, not by the attempt, whose
// time would show whether the name exists. Waits of addresses and browsers concern others.
func (v *Verifier) noticeLock(caller mfa.Caller, t try, r storage.Refusal, err error) {
	a := t.attempt.Account
	if !errors.Is(err, storage.ErrConflict) || !r.First || r.Bucket != throttle.Password || a == nil || t.disabled {
		return
	}
	day := t.attempt.Now.UTC().Truncate(24 * time.Hour)
	caller.Locale = "" // whoever types wrong passwords need not be the user
	messages := v.message(caller, a, notice.PasswordLocked, map[string]string{})
	for i := range messages {
		id := v.hash128("password locked", string(a.User.ID)+"|"+messages[i].Recipient+"|"+day.Format(time.DateOnly))
		messages[i].ID = storage.MessageID(storage.TimeOrdered(day, bytes.NewReader(id[:])))
	}
	v.journal.NoteMessages(messages)
}

// recoveryNotice returns the message that a recovery code was used.
func (v *Verifier) recoveryNotice(caller mfa.Caller, t try, proof mfa.Proof) []storage.Message {
	if proof.Spend.Code == "" || t.attempt.Account == nil {
		return nil
	}
	data := map[string]string{}
	if a := t.attempt.Account.Authenticator(proof.Authenticator); a != nil {
		data["left"] = strconv.FormatInt(max(mfa.UsesLeft(*a)-1, 0), 10)
	}
	return v.message(caller, t.attempt.Account, notice.RecoveryUsed, data)
}

// noteReplay logs a right code that was used before or has expired, and uncounts it: it was no
// guess.
func (v *Verifier) noteReplay(ctx context.Context, caller mfa.Caller, t try, code mfa.Code) error {
	refusal, kind := &mfa.Error{Code: code}, mfa.EventMFAReplayed
	if code != mfa.Replayed {
		kind = t.failedEvent
	}
	s := storage.Spend{Now: t.attempt.Now, Forgive: t.userCounter(),
		Events: []storage.Event{v.event(caller, t.about, kind, mfa.OutcomeRefused, string(code))}}
	if err := v.store.Spend(ctx, s); err != nil {
		refusal.Err = fmt.Errorf("forgive replay: %w", err)
	}
	return refusal
}

// checkDisabled returns Locked where every authenticator that could respond is disabled. Only
// a caller who has proven the first factor learns that; others get InvalidPasscode.
func (v *Verifier) checkDisabled(t try) error {
	if t.attempt.Usage != mfa.UsageSecond && t.attempt.Usage != mfa.UsageBackend || t.attempt.Account == nil {
		return nil
	}
	off := false
	for _, a := range t.attempt.Account.Authenticators {
		if a.Method != t.method.Info().Name || t.attempt.Authenticator != nil && t.attempt.Authenticator.ID != a.ID {
			continue
		}
		if a.State == storage.AuthenticatorActive {
			return nil
		}
		off = off || a.State == storage.AuthenticatorDisabled
	}
	if off {
		return &mfa.Error{Code: mfa.Locked}
	}
	return nil
}

// disableAtLimit disables a second factor after its last allowed failure (NIST SP 800-63B
// section 5.2.2). It reads for decoys too, so that they cost the same.
func (v *Verifier) disableAtLimit(ctx context.Context, caller mfa.Caller, t try) error {
	if t.throttle == nil || t.throttle.Schedule.Max == 0 {
		return nil
	}
	waits, err := v.store.Waits(ctx, t.userKeys(), t.attempt.Now)
	if err != nil {
		return fmt.Errorf("read waits: %w", err)
	}
	over := slices.ContainsFunc(waits, func(r storage.Refusal) bool { return r.Until.IsZero() })
	if !over || t.attempt.Account == nil || t.throttle.Key.Bucket != throttle.Factor {
		return nil
	}
	method := t.method.Info().Name
	for _, a := range t.attempt.Account.Authenticators {
		if a.Method != method || a.State != storage.AuthenticatorActive ||
			t.attempt.Authenticator != nil && t.attempt.Authenticator.ID != a.ID {
			continue
		}
		e := v.event(caller, t.about, mfa.EventMFADisabled, mfa.OutcomeRefused, "too many failures")
		notices := v.message(caller, t.attempt.Account, notice.FactorLocked, map[string]string{"method": method})
		err := v.store.SetAuthenticatorState(ctx, a.UserID, a.ID, storage.AuthenticatorDisabled, t.attempt.Now, []storage.Event{e}, notices)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("disable authenticator: %w", err)
		}
	}
	return nil
}
