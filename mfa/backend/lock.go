package backend

import (
	"context"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

// Lock is a running wait for a user's second factors or one-time codes.
type Lock struct{ Since, Until time.Time }

// LockOf returns the lock of a user; false: none. Until is zero when the factor is disabled.
func (s *Service) LockOf(ctx context.Context, a storage.Account) (Lock, bool, error) {
	waits, err := s.users.Waits(ctx, a)
	if err != nil {
		return Lock{}, false, err
	}
	var lock Lock
	found := false
	for _, w := range waits {
		if w.Bucket != throttle.Factor && w.Bucket != throttle.Passwordless {
			continue
		}
		if !found || w.Until.IsZero() || !lock.Until.IsZero() && w.Until.After(lock.Until) {
			lock, found = Lock{Since: w.Since, Until: w.Until}, true
		}
	}
	return lock, found, nil
}

// DeleteTOTP removes a TOTP authenticator by its ID, pending or active, and returns its user.
// With the last standalone second factor the recovery codes go too. NotConfigured.
func (s *Service) DeleteTOTP(ctx context.Context, caller mfa.Caller, id storage.AuthenticatorID) (storage.Account, error) {
	a, err := s.store.AccountByAuthenticator(ctx, id)
	if err != nil {
		return storage.Account{}, mfa.Refuse("read user", err, storage.ErrNotFound, mfa.NotConfigured)
	}
	x := a.Authenticator(id)
	if x == nil || x.Method != totp.Name {
		return storage.Account{}, &mfa.Error{Code: mfa.NotConfigured}
	}
	if err := s.users.RemoveFactor(ctx, caller, a, *x); err != nil {
		return storage.Account{}, err
	}
	return s.User(ctx, a.User.ID)
}
