package users

import (
	"context"
	"fmt"
	"slices"

	"sallyport/mfa"
	"sallyport/mfa/enrollcode"
	"sallyport/mfa/notice"
	"sallyport/mfa/password"
	"sallyport/mfa/recovery"
	"sallyport/mfa/throttle"
	"sallyport/mfa/totp"
	"sallyport/storage"
	"sallyport/storage/seal"
)

// amendFactors compares the credentials of a user with those of the draft.
func (u *Registry) amendFactors(ctx context.Context, a *Amendment) error {
	var f storage.FactorsChange
	for _, m := range []struct {
		method, key string
		given       bool
		same        func(context.Context, storage.Account, Draft) (bool, error)
	}{
		{password.Name, "password", a.draft.Password+a.draft.PasswordHash != "", u.samePassword},
		{totp.Name, "totp_secret", a.draft.TOTPSecret != "", u.sameTOTP},
		{recovery.Name, "recovery_codes", len(a.draft.RecoveryCodes) > 0, u.sameRecovery},
	} {
		if !m.given {
			continue
		}
		same, err := m.same(ctx, a.Account, a.draft)
		if err != nil {
			return err
		}
		if !same {
			f.Drop = append(f.Drop, m.method)
			a.Differences = append(a.Differences, Difference{Key: m.key, Secret: true})
		}
	}
	if len(f.Drop) > 0 {
		a.change.Factors, a.change.Kill, a.change.Reset = &f, true, throttle.UserKeys(u.keyring, a.Account)
	}
	return nil
}

// soleAuthenticator returns the authenticator of a method if it is the only one and usable.
func soleAuthenticator(a storage.Account, method string) (storage.Authenticator, bool) {
	var out []storage.Authenticator
	for _, x := range a.Authenticators {
		if x.Method == method {
			out = append(out, x)
		}
	}
	if len(out) != 1 || out[0].State != storage.AuthenticatorActive || out[0].Broken {
		return storage.Authenticator{}, false
	}
	return out[0], true
}

func (u *Registry) samePassword(ctx context.Context, account storage.Account, d Draft) (bool, error) {
	x, ok := soleAuthenticator(account, password.Name)
	if !ok {
		return false, nil
	}
	if d.PasswordHash != "" {
		return string(x.Secret) == d.PasswordHash, nil
	}
	return u.password.Matches(ctx, string(x.Secret), d.Password)
}

func (u *Registry) sameTOTP(_ context.Context, account storage.Account, d Draft) (bool, error) {
	x, ok := soleAuthenticator(account, totp.Name)
	if !ok {
		return false, nil
	}
	want, err := u.totp.Import(d.TOTPSecret, d.TOTPShape, d.TOTPPeriod)
	return err == nil && totp.SameCodes(x, want), err
}

// sameRecovery reports whether the unused codes and the number of used ones match the draft.
func (u *Registry) sameRecovery(ctx context.Context, account storage.Account, d Draft) (bool, error) {
	x, ok := soleAuthenticator(account, recovery.Name)
	if !ok {
		return false, nil
	}
	unused, err := u.store.RecoveryCodes(ctx, account.User.ID)
	if err != nil {
		return false, fmt.Errorf("read recovery codes: %w", err)
	}
	if int64(len(unused)) != mfa.UsesLeft(x) || int64(len(unused))+x.Counter != int64(len(d.RecoveryCodes)) {
		return false, nil
	}
	for _, code := range unused {
		if !slices.ContainsFunc(d.RecoveryCodes, func(typed string) bool { c, _ := recovery.Canonical(typed); return seal.Equal(c, code) }) {
			return false, nil
		}
	}
	return true, nil
}

// replaceFactors completes a change of factors with the new ones, events and messages.
func (u *Registry) replaceFactors(ctx context.Context, v mfa.Caller, a Amendment, c *storage.UserChange) error {
	f := *c.Factors
	d := Draft{}
	if slices.Contains(f.Drop, password.Name) {
		d.Password, d.PasswordHash = a.draft.Password, a.draft.PasswordHash
		c.Events = append(c.Events, u.journal.Event(v, storage.Event{Kind: mfa.EventPasswordChanged, UserID: a.Account.User.ID}))
		c.Messages = append(c.Messages, u.notice(v, a.Account, notice.PasswordChanged, map[string]string{})...)
	}
	if slices.Contains(f.Drop, totp.Name) {
		d.TOTPSecret, d.TOTPShape, d.TOTPPeriod = a.draft.TOTPSecret, a.draft.TOTPShape, a.draft.TOTPPeriod
	}
	if slices.Contains(f.Drop, totp.Name) {
		f.Drop = append(f.Drop, enrollcode.Name) // the administrator has set the factor up
	}
	if slices.Contains(f.Drop, recovery.Name) {
		d.RecoveryCodes = a.draft.RecoveryCodes
	}
	var err error
	if f.Add, f.RecoveryCodes, err = u.authenticators(ctx, d, a.Account.User.ID, u.now()); err != nil {
		return err
	}
	for _, x := range a.Account.Authenticators {
		if x.Method != password.Name && x.Method != enrollcode.Name && slices.Contains(f.Drop, x.Method) {
			c.Events = append(c.Events, u.factorEvent(v, mfa.EventFactorDeleted, x))
		}
	}
	for _, x := range f.Add {
		if x.Method != password.Name {
			c.Events = append(c.Events, u.factorEvent(v, mfa.EventFactorEnrolled, x))
		}
	}
	c.Factors = &f
	return nil
}
