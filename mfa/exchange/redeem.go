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
func (v *Verifier) Redeem(ctx context.Context, caller mfa.Caller, p Login, id storage.StatusID, method, usage string) error {
	info, ok := v.Info(method)
	if !ok || !p.allows(v, info) || !v.usable(p, info, usage) {
		return &mfa.Error{Code: mfa.InvalidExchange}
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
		v.ofRequest(s, p.Request.ID) && v.sameBrowser(caller, s)
	if !good || account == nil || mfa.ReplacesPassword(usage) && info.Second && !info.First && account.User.MFAEnabled {
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

// usable reports whether the login, its client and the method allow a usage.
func (v *Verifier) usable(p Login, i mfa.Info, usage string) bool {
	identified := v.verdict(p).Need != mfa.NeedFirst
	switch usage {
	case mfa.UsageSecond:
		return i.Second && identified
	case mfa.UsagePasswordless, mfa.UsageInitial:
		demanded := mfa.Table{Policy: p.Policy, Methods: v.infos}.Demanded(nil, p.Asked)
		return i.Second && p.Policy.Passwordless && mfa.Rank(demanded) <= mfa.Rank(mfa.AAL1)
	case mfa.UsageFirst:
		return i.First
	case mfa.UsageEnroll: // confirmed by its exchange alone, see ConfirmAlone
		return i.Enrolls && p.Request.Subject != "" && identified
	}
	return false
}

func (v *Verifier) verified(ctx context.Context, p Login, id storage.StatusID, usage string) (storage.Status, error) {
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
func (v *Verifier) redeemer(ctx context.Context, p Login, s storage.Status) (*storage.Account, error) {
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
