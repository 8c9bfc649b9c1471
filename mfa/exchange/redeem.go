package exchange

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Redeem adds the proof of a verified status to its login as a factor. An empty id means the
// newest verified status of the login, for its owner. It returns InvalidExchange for anything
// that does not match.
func (v *Verifier) Redeem(ctx context.Context, caller mfa.Caller, p Login, id storage.StatusID, method, usage string) error {
	info, ok := v.Info(method)
	if !ok || !p.allows(v, info) || !v.usable(p, info, usage) {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	s, err := v.findVerified(ctx, p, id, usage)
	if err != nil {
		return err
	}
	account, err := v.findAccountOf(ctx, p, s)
	if err != nil {
		return err
	}
	good := s.State == storage.StatusVerified && s.Method == method && s.Usage == usage && s.ClientID == p.Request.ClientID &&
		v.ofRequest(s, p.Request.ID) && v.sameBrowser(caller, s)
	if !good || account == nil {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	now := v.now()
	// At is the time of the proof, not of its redemption.
	factor := v.dataOf(s).Proof
	if factor == nil {
		f := mfa.FactorOf(info, nil)
		factor, f.Authenticator = &f, s.Authenticator
	}
	factor.At = s.VerifiedAt
	spend := storage.Spend{Now: now,
		Status: &storage.StatusMove{ID: s.ID, From: storage.StatusVerified, To: storage.StatusRedeemed, Request: p.Request.ID,
			User: s.UserID, Method: method, Usage: usage}}
	if err := p.addFactor(ctx, &spend, account, factor); err != nil {
		return err
	}
	return mfa.Refuse("redeem status", v.store.Spend(ctx, spend), storage.ErrConflict, mfa.InvalidExchange)
}

// usable reports whether the login, its client and the method allow a usage.
func (v *Verifier) usable(p Login, i mfa.Info, usage string) bool {
	identified := v.verdict(p).Need != mfa.NeedFirst
	switch usage {
	case mfa.UsageSecond:
		return i.Second && identified
	case mfa.UsagePasswordless, mfa.UsageInitial:
		required := mfa.Rules{Policy: p.Policy, Methods: v.infos}.RequiredLevel(nil, p.Requirements)
		return i.Second && p.Policy.Passwordless && mfa.AAL1.AtLeast(required)
	case mfa.UsageFirst:
		return i.First
	case mfa.UsageEnroll: // see ConfirmAlone
		return i.Enrolls && p.Request.Subject != "" && identified
	}
	return false
}

// findVerified returns a status by ID or, without one, the newest verified status of the login.
func (v *Verifier) findVerified(ctx context.Context, p Login, id storage.StatusID, usage string) (storage.Status, error) {
	var s storage.Status
	var err error
	switch _, wellFormed := storage.Bytes(id); {
	case wellFormed:
		s, err = v.store.Status(ctx, id, v.now())
		s.ID = id
	case id == "" && p.Request.Subject != "":
		s, err = v.store.VerifiedStatus(ctx, p.Request.ID, usage, p.Request.Subject, v.now())
	default:
		return storage.Status{}, &mfa.Error{Code: mfa.InvalidExchange}
	}
	return s, mfa.Refuse("read status", err, storage.ErrNotFound, mfa.InvalidExchange)
}

// findAccountOf returns the account of a status; nil if it may not sign in to this request.
func (v *Verifier) findAccountOf(ctx context.Context, p Login, s storage.Status) (*storage.Account, error) {
	if s.UserID == "" || p.Request.Subject != "" && p.Request.Subject != s.UserID {
		return nil, nil
	}
	account := p.Account
	if account == nil || account.User.ID != s.UserID {
		a, err := v.store.Account(ctx, s.UserID)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read account: %w", err)
		}
		account = &a
	}
	if !account.User.In() {
		return nil, nil
	}
	return account, nil
}
