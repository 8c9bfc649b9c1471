package exchange

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/storage"
)

// Redeem spends a verified Status for the login it was made for: its proof becomes a
// factor of the request. An empty id means the verified one of the login, for its
// owner alone. Whatever does not fit gets one and the same answer.
func (v *Verifier) Redeem(ctx context.Context, visit mfa.Caller, p Proving, id storage.StatusID, method, usage string) error {
	info, ok := v.Info(method)
	policy := mfa.Table{Policy: p.Policy, Methods: v.infos}
	if !ok || !policy.Allowed(info) {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	if err := v.usable(p, info, usage); err != nil {
		return err
	}
	s, err := v.verified(ctx, p, id, usage)
	if err != nil {
		return err
	}
	account, err := v.redeemer(ctx, p, s)
	if err != nil {
		return err
	}
	good := s.State == storage.StatusVerified && s.Method == method && s.Usage == usage && s.ClientID == p.Request.ClientID &&
		v.ofRequest(s, p.Request.ID) && v.sameBrowser(visit, s)
	alone := usage != mfa.UsageSecond && usage != mfa.UsageEnroll
	if !good || account == nil || alone && info.Second && !info.First && account.User.MFAEnabled {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	now := v.now()
	// At is when the proof was given, not when it is redeemed.
	factor := &storage.Factor{Method: method, Authenticator: s.Authenticator, Kinds: info.Kinds, AMR: info.AMR,
		PhishingResistant: info.PhishingResistant, At: s.VerifiedAt}
	spend := storage.Spend{Now: now,
		Status: &storage.StatusMove{ID: s.ID, From: storage.StatusVerified, To: storage.StatusRedeemed, Request: p.Request.ID,
			User: s.UserID, Method: method, Usage: usage}}
	p.advance(&spend, s.UserID, factor, now)
	err = v.store.Spend(ctx, spend)
	if errors.Is(err, storage.ErrConflict) {
		return &mfa.Error{Code: mfa.InvalidExchange}
	}
	if err != nil {
		return fmt.Errorf("redeem status: %w", err)
	}
	return nil
}

// usable refuses usages the request or the client does not allow.
func (v *Verifier) usable(p Proving, info mfa.Info, usage string) error {
	policy := mfa.Table{Policy: p.Policy, Methods: v.infos}
	switch usage {
	case mfa.UsageSecond:
		if info.Second && p.Request.Subject != "" && v.verdict(p).Need != mfa.NeedFirst {
			return nil
		}
	case mfa.UsagePasswordless, mfa.UsageInitial:
		if info.Second && p.Policy.Passwordless && mfa.Rank(policy.Demanded(nil, p.Asked)) <= mfa.Rank(mfa.AAL1) {
			return nil
		}
	case mfa.UsageFirst:
		if info.First {
			return nil
		}
	case mfa.UsageEnroll: // confirmed by its exchange alone, see ConfirmAlone
		if info.Enrolls && p.Request.Subject != "" && v.verdict(p).Need != mfa.NeedFirst {
			return nil
		}
	}
	return &mfa.Error{Code: mfa.InvalidExchange}
}

func (v *Verifier) verified(ctx context.Context, p Proving, id storage.StatusID, usage string) (storage.Status, error) {
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
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Status{}, &mfa.Error{Code: mfa.InvalidExchange}
	}
	if err != nil {
		return storage.Status{}, fmt.Errorf("read status: %w", err)
	}
	return s, nil
}

// redeemer returns the account behind a Status if it may sign in through this request.
func (v *Verifier) redeemer(ctx context.Context, p Proving, s storage.Status) (*storage.Account, error) {
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
