package backend

import (
	"context"
	"errors"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/exchange"
	"sallyport/mfa/recovery"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

// NewTOTP describes a TOTP authenticator to create.
type NewTOTP struct {
	User storage.UserID
	TTL  time.Duration // until its first right code
	// Issuer is shown by the user's app; "": the server's product.
	Issuer string
	// Codes is the number of recovery codes, Groups the lengths of the groups of one: {5, 5}
	// for xxxxx-xxxxx, {4, 4, 4} for xxxx-xxxx-xxxx.
	Codes  int
	Groups []int
}

// TOTP is a TOTP authenticator of a user with the recovery codes beside it.
type TOTP struct {
	Account       storage.Account
	Authenticator storage.AuthenticatorID
	Verified      bool
	Handout       mfa.Handout // of CreateTOTP only
	RecoveryCodes []string    // unused, as shown to the user
}

// CreateTOTP creates a pending TOTP authenticator and replaces an earlier pending one. Its
// recovery codes become the user's with its first right code, in place of earlier ones.
//
// UserNotFound; AlreadyEnrolled: the user has a confirmed one that a backend created.
func (s *Service) CreateTOTP(ctx context.Context, caller mfa.Caller, n NewTOTP) (TOTP, error) {
	account, err := s.User(ctx, n.User)
	if err != nil {
		return TOTP{}, err
	}
	codes, err := recovery.NewCodes(s.random, n.Codes, n.Groups)
	if err != nil {
		return TOTP{}, err
	}
	e, err := s.verifier.EnrollBackend(ctx, caller, exchange.BackendEnrollment{Account: account, Method: totp.Name, Issuer: n.Issuer, TTL: n.TTL, Codes: codes})
	if err != nil {
		return TOTP{}, err
	}
	if account, err = s.User(ctx, n.User); err != nil {
		return TOTP{}, err
	}
	return TOTP{Account: account, Authenticator: e.Authenticator, Handout: e.Handout, RecoveryCodes: recovery.ShowAll(codes)}, nil
}

// RecoveryCodes returns a user's TOTP authenticators with the unused recovery codes.
// UserNotFound; NotConfigured: the user has no TOTP authenticator.
func (s *Service) RecoveryCodes(ctx context.Context, user storage.UserID) ([]TOTP, error) {
	account, err := s.User(ctx, user)
	if err != nil {
		return nil, err
	}
	var out []TOTP
	for _, x := range account.Authenticators {
		if x.Method != totp.Name || x.State == storage.AuthenticatorPending && x.Origin != mfa.OriginBackend {
			continue
		}
		t := TOTP{Account: account, Authenticator: x.ID, Verified: x.State != storage.AuthenticatorPending}
		if t.Verified {
			t.RecoveryCodes, err = s.verifier.RecoveryCodes(ctx, user)
		} else {
			var codes []string
			codes, err = s.verifier.PendingCodes(ctx, x.ID)
			t.RecoveryCodes = recovery.ShowAll(codes)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, &mfa.Error{Code: mfa.NotConfigured, Err: errors.New("the user has no TOTP authenticator")}
	}
	return out, nil
}
